"""The contract of cuts, over families that are built in quite different ways."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, load_random
from headstart.errors import BackboneError

Load = Callable[[str], Backbone]

# The architecture, the cuts between stem and top, and the module whose input is the stem's output.
FAMILIES: dict[str, tuple[list[str], str]] = {
    "tf_efficientnet_lite0": ([f"blocks.{i}" for i in range(7)], "blocks"),
    "resnet18": ([f"layer{i}" for i in range(1, 5)], "layer1"),
    "mobilenetv3_small_050": ([f"blocks.{i}" for i in range(6)], "blocks"),
    "convnext_atto": ([f"stages.{i}" for i in range(4)], "stages"),
    "vit_tiny_patch16_224": ([f"blocks.{i}" for i in range(12)], "blocks"),
    "swin_tiny_patch4_window7_224": ([f"layers.{i}" for i in range(4)], "layers"),
    "regnety_002": ([f"s{i}" for i in range(1, 5)], "s1"),
}
families = pytest.mark.parametrize("family", FAMILIES)
NO_CHAIN = "xcit_nano_12_p16_224"


def images(n: int = 3, size: int = 64) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(7))


def own_output(backbone: Backbone, x: Tensor) -> Tensor:
    """What the network itself hands to its classifier, caught at the classifier's door."""
    caught: list[Tensor] = []
    classifier = backbone.network.get_classifier()
    handle = classifier.register_forward_pre_hook(lambda _module, arguments: caught.append(arguments[0]))
    backbone.network(x)
    handle.remove()
    return caught[0]


def numbers(module: nn.Module) -> set[int]:
    return {id(parameter) for parameter in module.parameters()}


@families
def test_cuts_stand_in_order_under_the_networks_own_names(shared: Load, family: str) -> None:
    inner, _ = FAMILIES[family]
    backbone = shared(family)
    assert list(backbone.cuts) == ["stem", *inner, "top", "logits"]
    assert list(backbone.widths) == list(backbone.cuts)
    assert backbone.widths["logits"] == 1000


@families
def test_lower_and_upper_compose_to_the_network_bit_for_bit(shared: Load, family: str) -> None:
    backbone, x = shared(family), images()
    with torch.no_grad():
        expected = own_output(backbone, x)
        for cut in backbone.cuts[:-1]:
            assert torch.equal(backbone.upper(cut)(backbone.lower(cut)(x)), expected), cut
        assert torch.equal(backbone.upper("")(x), expected)
        assert torch.equal(backbone(x)[-1], backbone.network(x))


@families
def test_every_parameter_is_on_one_side_of_every_cut(fresh: Load, family: str) -> None:
    backbone = fresh(family)
    classifier = numbers(backbone.network.get_classifier())
    all_but = numbers(backbone.network) - classifier
    for cut in backbone.cuts[:-1]:
        lower, upper = numbers(backbone.lower(cut)), numbers(backbone.upper(cut))
        assert not lower & upper, cut
        assert (lower | upper) - classifier == all_but, cut
    backbone.cut_off_top()
    assert backbone.cuts[-1] == "top" and "logits" not in backbone.widths
    for cut in backbone.cuts:
        assert numbers(backbone.lower(cut)) | numbers(backbone.upper(cut)) == numbers(backbone.network) == all_but


@families
def test_buffers_are_on_one_side_of_every_cut(shared: Load, family: str) -> None:
    backbone = shared(family)
    whole = {id(buffer) for buffer in backbone.network.buffers()}
    for cut in backbone.cuts[:-1]:
        lower = {id(buffer) for buffer in backbone.lower(cut).buffers()}
        upper = {id(buffer) for buffer in backbone.upper(cut).buffers()}
        assert not lower & upper and lower | upper == whole, cut


@families
def test_pooled_features_are_the_means_that_hooks_see(shared: Load, family: str) -> None:
    inner, after_stem = FAMILIES[family]
    backbone, x = shared(family), images()
    seen: dict[str, Tensor] = {}
    network = backbone.network
    handles = [
        network.get_submodule(name).register_forward_hook(lambda _m, _x, y, name=name: seen.update({name: y}))
        for name in inner
    ]
    first = network.get_submodule(after_stem)
    handles.append(first.register_forward_pre_hook(lambda _m, arguments: seen.update(stem=arguments[0])))
    with torch.no_grad():
        seen["top"] = own_output(backbone, x)
        pooled = dict(zip(backbone.cuts, backbone(x), strict=True))
    for handle in handles:
        handle.remove()
    last = family.startswith("swin")
    for cut, activation in seen.items():
        if activation.dim() > 2:
            positions = activation.flatten(1, -2) if last or activation.dim() == 3 else activation.flatten(2).mT
            activation = positions.double().mean(1).float()
        torch.testing.assert_close(pooled[cut], activation, rtol=1e-5, atol=1e-6)
        assert pooled[cut].shape == (3, backbone.widths[cut])
    assert set(seen) == {*backbone.cuts} - {"logits"}


@pytest.mark.parametrize("family", [NO_CHAIN, "test_resnet"])
def test_a_network_that_is_no_chain_can_only_be_cut_at_its_top(shared: Load, family: str) -> None:
    backbone, x = shared(family), images(2)
    assert (backbone.cuts == ("top", "logits")) == (family == NO_CHAIN)
    with torch.no_grad():
        top, logits = backbone(x)[-2:]
        assert torch.equal(top, own_output(backbone, x)) and torch.equal(logits, backbone.network(x))
        assert torch.equal(backbone.lower("top")(x), top)
    assert numbers(backbone.lower("top")) == numbers(backbone.network) - numbers(backbone.network.get_classifier())
    assert not numbers(backbone.upper("top"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["vgg11", "hrnet_w18_small", "densenet121", "mobilevit_xxs"])
def test_further_families_compose(family: str) -> None:
    backbone, x = load_random(family, size=64, seed=0), images(2)
    classifier = numbers(backbone.network.get_classifier())
    with torch.no_grad():
        expected = own_output(backbone, x)
        for cut in backbone.cuts[:-1]:
            lower, upper = backbone.lower(cut), backbone.upper(cut)
            assert torch.equal(upper(lower(x)), expected), cut
            assert (numbers(lower) | numbers(upper)) - classifier == numbers(backbone.network) - classifier
    assert (len(backbone.cuts) == 2) == family.startswith("hrnet")


def test_an_unknown_cut_is_named_with_the_known_ones(shared: Load) -> None:
    with pytest.raises(BackboneError, match=r"no cut 'layer9'\.\nIts cuts: stem, layer1.*layer4, top"):
        shared("resnet18").lower("layer9")


def test_a_size_that_the_network_cannot_take_is_an_error_of_one_sentence() -> None:
    with pytest.raises(BackboneError, match="does not run on images of 20 × 20 pixels") as caught:
        load_random("mixer_s32_224", size=20, seed=0)
    assert "--size" in caught.value.remedy and "\n" not in caught.value.fact


@pytest.mark.parametrize("family", ["test_efficientnet", "test_vit", "convnext_atto", "resnet18"])
def test_a_fingerprint_changes_with_what_is_below_the_cut_alone(fresh: Load, family: str) -> None:
    backbone = fresh(family)
    middle = backbone.cuts[len(backbone.cuts) // 2]
    before = {cut: backbone.fingerprint(cut) for cut in backbone.cuts}
    assert len(set(before.values())) == len(before)
    places = backbone.cuts.index(middle)
    with torch.no_grad():
        next(backbone.upper(middle).parameters()).view(-1)[0] += 1
    after = {cut: backbone.fingerprint(cut) for cut in backbone.cuts}
    changed = [cut for cut in backbone.cuts if before[cut] != after[cut]]
    assert changed == list(backbone.cuts[places + 1 :])
    with torch.no_grad():
        next(backbone.lower("stem").parameters()).view(-1)[0] += 1
    assert all(after[cut] != backbone.fingerprint(cut) for cut in backbone.cuts)


@pytest.mark.parametrize("family", ["test_efficientnet", "convnext_atto"])
def test_the_sources_classifier_changes_the_logits_alone(fresh: Load, family: str) -> None:
    backbone = fresh(family)
    before = {cut: backbone.fingerprint(cut) for cut in backbone.cuts}
    with torch.no_grad():
        backbone.network.get_classifier().bias[0] += 1
    assert [cut for cut in backbone.cuts if backbone.fingerprint(cut) != before[cut]] == ["logits"]
    backbone.cut_off_top()
    assert backbone.fingerprint("top") == before["top"]


def test_a_fingerprint_notices_statistics_size_and_architecture(fresh: Load) -> None:
    backbone = fresh("test_efficientnet")
    before = backbone.fingerprint()
    norm = next(m for m in backbone.lower("stem").modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.running_mean is not None
    norm.running_mean[0] += 1
    assert backbone.fingerprint() != before
    assert load_random("test_efficientnet", size=32, seed=0).fingerprint() != before


def test_two_loads_agree_and_two_seeds_do_not() -> None:
    prints = [load_random("test_efficientnet", size=64, seed=seed).fingerprint("logits") for seed in (3, 3, 4)]
    assert prints[0] == prints[1] != prints[2]


def test_random_weights_leave_the_callers_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_random("test_efficientnet", size=64, seed=0)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("family", ["test_efficientnet", "vit_tiny_patch16_224", NO_CHAIN])
def test_a_deep_copy_stands_on_its_own(shared: Load, family: str) -> None:
    original, x = shared(family), images(2)
    twin = copy.deepcopy(original)
    with torch.no_grad():
        expected = original(x)
        assert all(torch.equal(a, b) for a, b in zip(twin(x), expected, strict=True))
        assert not numbers(twin) & numbers(original)
        assert not numbers(twin.lower("top")) & numbers(original)
        for parameter in twin.parameters():
            parameter.add_(0.1)
        assert all(torch.equal(a, b) for a, b in zip(original(x), expected, strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(twin(x), expected, strict=True))
        assert torch.equal(own_output(twin, x), twin.upper("")(x))


def test_measuring_leaves_the_mode_alone() -> None:
    backbone = load_random("test_efficientnet", size=64, seed=0)
    assert not any(module.training for module in backbone.modules())
    statistics = [b.clone() for b in backbone.buffers()]
    fresh = load_random("test_efficientnet", size=64, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(statistics, fresh.buffers(), strict=True))
    assert all((b == 0).all() for n, b in backbone.named_buffers() if n.endswith("num_batches_tracked"))
