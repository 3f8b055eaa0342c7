"""Low-rank adapters: at first nothing changes, then only they train, and merged they are the same function."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import ADAPTERS, Backbone, Only, Transferred
from headstart.backbones.adapters import ALPHA, RANK, adapt, adapters, coverage, merge
from headstart.errors import MissingExtraError

Load = Callable[[str], Backbone]
FAST = ("test_resnet", "mobilenetv3_small_050", "test_efficientnet", "test_vit")
SLOW = (
    *("tf_efficientnet_lite0", "resnet18", "vit_tiny_patch16_224", "deit_tiny_patch16_224", "convnext_atto"),
    *("regnety_002", "swin_tiny_patch4_window7_224", "vgg11"),
)
FAMILIES = [*FAST, *(pytest.param(family, marks=pytest.mark.slow) for family in SLOW)]
families = pytest.mark.parametrize("family", FAMILIES)
kinds = pytest.mark.parametrize("only", ADAPTERS)
DECOMPOSED = ("tf_efficientnet_lite0", "vit_tiny_patch16_224")
"""Of the slow ones, those that take weight-decomposed adapters too: they stand beside the same layers."""
both = pytest.mark.parametrize(
    ("family", "only"),
    [
        pytest.param(family, only, marks=[pytest.mark.slow] if family in SLOW else [])
        for family in (*FAST, *SLOW)
        for only in ADAPTERS
        if only == "adapters" or family in (*FAST, *DECOMPOSED)
    ],
)


def adapted_and_plain(fresh: Load, family: str, only: Only = "adapters") -> tuple[Transferred, Transferred]:
    """Two models of the same weights, the first with adapters."""
    torch.manual_seed(0)
    backbones = fresh(family), fresh(family)
    heads = nn.Linear(backbones[0].widths["top"], 3), nn.Linear(backbones[0].widths["top"], 3)
    heads[1].load_state_dict(heads[0].state_dict())
    adapted = Transferred(backbones[0], heads[0], only=only, source_statistics=True)
    return adapted.eval(), Transferred(backbones[1], heads[1]).eval()


def disturb(model: Transferred) -> None:
    """Give A, B, m and head values as training might."""
    with torch.no_grad():
        for parameter in model.trainable():
            parameter.add_(0.02 * torch.randn_like(parameter))


def images(n: int = 2) -> Tensor:
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@both
def test_at_first_the_network_is_what_it_was(fresh: Load, family: str, only: Only) -> None:
    adapted, plain = adapted_and_plain(fresh, family, only)
    with torch.no_grad():
        assert torch.equal(adapted(images()), plain(images()))
        for before, after in zip(plain.backbone(images()), adapted.backbone(images()), strict=True):
            assert torch.equal(before, after)
    assert adapted.backbone.cuts == plain.backbone.cuts


@both
def test_every_dense_layer_that_runs_has_one_and_no_grouped_one(fresh: Load, family: str, only: Only) -> None:
    adapted, plain = adapted_and_plain(fresh, family, only)
    beside = {name: getattr(m, "base_layer", None) for name, m in adapted.backbone.network.named_modules()}
    dense, grouped = 0, 0
    for name, module in plain.backbone.network.named_modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1):
            assert type(beside[name]) is type(module), name
            dense += 1
        elif isinstance(module, nn.Conv2d):
            assert beside[name] is None, name
            grouped += 1
    assert dense == len(adapters(adapted.backbone)) > 0
    assert f"beside {dense} of {dense + grouped} linear layers" in coverage(adapted.backbone)
    assert (f"; {grouped} grouped or depthwise ones stay frozen." in coverage(adapted.backbone)) is (grouped > 0)


@both
def test_merged_it_is_the_same_function_under_the_old_names(fresh: Load, family: str, only: Only) -> None:
    adapted, plain = adapted_and_plain(fresh, family, only)
    disturb(adapted)
    digest, state = adapted.fixed_digest(), {n: t.clone() for n, t in adapted.state_dict().items()}
    merged = adapted.merged()
    with torch.no_grad():
        wanted, got, before = adapted(images()), merged(images()), plain(images())
    assert not torch.allclose(wanted, before, atol=1e-2), "nothing was adapted, so nothing is compared"
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    assert list(merged.state_dict()) == list(plain.state_dict())
    assert not any("peft" in type(module).__module__ for module in merged.modules())
    assert [type(m) for m in merged.modules()] == [type(m) for m in plain.modules()]
    assert merged.backbone.fingerprint() != plain.backbone.fingerprint()
    # What it was made of is left as it was.
    assert adapted.fixed_digest() == digest
    assert all(torch.equal(t, state[n]) for n, t in adapted.state_dict().items())


def numpy_delta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(α/r) B A, summed number by number: ΔW[o, i, y, x] = α/r Σ_q B[o, q] A[q, i, y, x]."""
    return ALPHA / RANK * np.einsum("oq,q...->o...", b.reshape(len(b), -1), a)


@families
def test_a_merged_weight_is_w_plus_alpha_over_r_b_a(fresh: Load, family: str) -> None:
    adapted, _ = adapted_and_plain(fresh, family)
    disturb(adapted)
    merged = dict(adapted.merged().backbone.network.named_modules())
    kinds = set()
    for name, module in adapted.backbone.network.named_modules():
        if module not in adapters(adapted.backbone):
            continue
        w, a, b = (
            m.weight.detach().double().numpy()
            for m in (module.base_layer, module.lora_A["default"], module.lora_B["default"])
        )
        assert a.shape == (RANK, *w.shape[1:]) and b.shape[:2] == (len(w), RANK) and b.size == len(w) * RANK
        wanted = w + numpy_delta(a, b)
        np.testing.assert_allclose(merged[name].weight.detach().numpy(), wanted, atol=1e-6, rtol=1e-5)
        assert np.abs(wanted - w).max() > 1e-4
        kinds.add(w.shape[2:])
    assert kinds <= {(), (1, 1), *((k, k) for k in range(2, 33))}


@pytest.mark.parametrize("family", FAST)
def test_a_merged_weight_that_is_decomposed_has_its_direction_and_the_magnitude(fresh: Load, family: str) -> None:
    adapted, plain = adapted_and_plain(fresh, family, "decomposed")
    before = dict(plain.backbone.network.named_modules())
    disturb(adapted)
    merged = dict(adapted.merged().backbone.network.named_modules())
    for name, module in adapted.backbone.network.named_modules():
        if module not in adapters(adapted.backbone):
            continue
        w, a, b, m, got = (
            one.weight.detach().double().numpy()
            for one in (
                *(module.base_layer, module.lora_A["default"], module.lora_B["default"]),
                *(module.lora_magnitude_vector["default"], merged[name]),
            )
        )
        assert np.array_equal(w, before[name].weight.detach().double().numpy())
        v = (w + numpy_delta(a, b)).reshape(len(w), -1)
        wanted = m.reshape(-1, 1) * v / np.sqrt((v**2).sum(1, keepdims=True))
        np.testing.assert_allclose(got.reshape(len(w), -1), wanted, atol=1e-6, rtol=1e-5)
        assert np.abs(np.linalg.norm(w.reshape(len(w), -1), axis=1) - m.ravel()).max() > 1e-3


@kinds
@pytest.mark.parametrize("family", ["test_resnet", "mobilenetv3_small_050"])
def test_adapters_work_in_either_memory_format(fresh: Load, family: str, only: Only) -> None:
    adapted, _ = adapted_and_plain(fresh, family, only)
    disturb(adapted)
    with torch.no_grad():
        wanted = adapted(images())
        adapted.to(memory_format=torch.channels_last)
        torch.testing.assert_close(adapted(images()), wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(adapted.merged()(images()), wanted, atol=1e-5, rtol=1e-5)


def test_a_layer_with_an_output_of_no_weights_has_no_direction_and_stays_frozen(fresh: Load) -> None:
    for few in (0.0, 1e-30):
        backbone = fresh("test_resnet")
        layers = [m for m in backbone.network.modules() if isinstance(m, nn.Conv2d)]
        with torch.no_grad():
            layers[2].weight[1] = few
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), only="decomposed")
        said = f"Weight-decomposed adapters (rank 8) stand beside {len(layers) - 1} of {len(layers)} linear layers"
        assert coverage(backbone).startswith(said) and coverage(backbone).endswith("; 1 other ones stay frozen.")
        model(images()).sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in model.trainable() if p.grad is not None)


@pytest.mark.parametrize("family", FAST)
def test_a_twin_trains_apart_and_merging_one_leaves_the_other(fresh: Load, family: str) -> None:
    adapted, plain = adapted_and_plain(fresh, family)
    twin = adapted.twin()
    disturb(twin)
    twin.merged()
    with torch.no_grad():
        assert torch.equal(adapted(images()), plain(images()))
        assert not torch.allclose(twin(images()), plain(images()), atol=1e-2)


@kinds
@pytest.mark.parametrize("family", FAST)
def test_adapters_put_in_and_merged_untrained_leave_every_weight(fresh: Load, family: str, only: Only) -> None:
    backbone, before = fresh(family), fresh(family).fingerprints()
    adapt(backbone, decomposed=only == "decomposed")
    merge(backbone)
    assert backbone.fingerprints() == before


def test_the_same_generator_gives_the_same_adapters(fresh: Load) -> None:
    one, other = (adapted_and_plain(fresh, "test_resnet")[0].state_dict() for _ in range(2))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_model_without_adapters_is_merged_already(fresh: Load) -> None:
    _, plain = adapted_and_plain(fresh, "test_resnet")
    assert plain.merged() is plain


class Normalised(nn.Conv2d):
    """A convolution by a weight that is normalised first."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight / self.weight.norm(), self.bias)


def test_layers_whose_adapter_could_not_be_merged_stay_as_they_are(fresh: Load) -> None:
    backbone = fresh("test_resnet")
    convolutions = [m for m in backbone.network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    for module, kind in zip(convolutions, ("normalised", "reflecting", "dilated"), strict=False):
        ins, outs, stride = module.in_channels, module.out_channels, module.stride
        other = {
            "normalised": Normalised(ins, outs, 3, stride, 1),
            "reflecting": nn.Conv2d(ins, outs, 3, stride, 1, padding_mode="reflect"),
            "dilated": nn.Conv2d(ins, outs, 3, stride, padding=2, dilation=2),
        }[kind]
        backbone.replace({module: other})
    before = len([m for m in backbone.network.modules() if isinstance(m, nn.Conv2d)])
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), only="adapters").eval()
    layers = f"beside {before - 3} of {before} linear layers and convolutions; 3 other ones stay frozen."
    assert coverage(backbone).endswith(layers)
    disturb(model)
    with torch.no_grad():
        torch.testing.assert_close(model.merged()(images()), model(images()), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_layer_that_is_read_but_never_called_has_none(fresh: Load) -> None:
    adapted, _ = adapted_and_plain(fresh, "beit_base_patch16_224")
    names = {n for n, m in adapted.backbone.network.named_modules() if m in adapters(adapted.backbone)}
    assert "blocks.0.attn.proj" in names and not any(name.endswith("qkv") for name in names)


@pytest.mark.slow
def test_a_network_that_takes_no_adapter_trains_its_head(fresh: Load) -> None:
    adapted, plain = adapted_and_plain(fresh, "resnetv2_50x1_bit")
    assert coverage(adapted.backbone) == "No layer of this network takes a low-rank adapter: only the head trains."
    assert {id(p) for p in adapted.trainable()} == {id(p) for p in adapted.head.parameters()}
    assert list(adapted.merged().state_dict()) == list(plain.state_dict())


def test_without_peft_one_sentence_names_the_extra(fresh: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match="need peft, which is not installed") as caught:
        adapt(fresh("test_resnet"))
    assert caught.value.remedy == "Run: pip install 'headstart[lora]'."


def test_headstart_does_not_import_peft_before_it_is_needed() -> None:
    code = "import sys, headstart.runs.fit; sys.exit('peft' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
