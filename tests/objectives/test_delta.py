"""DELTA against the formula, written down once more in numpy, on activations that are read by hooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Batch, Batches
from headstart.objectives import CrossEntropy, FeatureMaps, Seen
from headstart.records.arrays import read_arrays
from headstart.training import Scores, finetune, train
from headstart.training.objective import own_parameters

Make = Callable[..., Transferred]
# Channels come second, last, and last among tokens.
FAMILIES = {"test_efficientnet": 1, "test_vit": 2, "swin_tiny_patch4_window7_224": 3}


def moved(model: Transferred) -> Transferred:
    """Every parameter somewhere else, in evaluation mode."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def hooked(model: Transferred, x: Tensor) -> dict[str, np.ndarray]:
    """What each segment gives, taken on its way."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_m: nn.Module, _x: object, output: Tensor) -> None:
            found[name] = output.detach().numpy().astype("f8")

        return hook

    handles = [module.register_forward_hook(keep(cut)) for cut, module in model.backbone.segments()]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return found


def by_hand(here: dict[str, np.ndarray], there: dict[str, np.ndarray], *, axis: int, alpha: float) -> float:
    """Mean over cuts of squared distance by squared size, both added up image by image and channel by channel."""
    total = 0.0
    for cut in here:
        a, b = (np.moveaxis(m[cut], axis if m[cut].ndim > 2 else 1, 1) for m in (here, there))
        apart = size = 0.0
        for image in range(len(a)):
            for channel in range(a.shape[1]):
                apart += float(np.mean((a[image, channel] - b[image, channel]) ** 2))
                size += float(np.mean(b[image, channel] ** 2))
        total += alpha / 2 * apart / size / len(here)
    return total


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_distance_of_the_maps_by_their_size(make: Make, family: str) -> None:
    model, x = make(family), torch.randn(3, 3, 32, 32)
    there = hooked(model.eval(), x)
    penalty = FeatureMaps(model, alpha=0.7)
    moved(model)
    here = hooked(model, x)
    assert len(here) == len([cut for cut in model.backbone.cuts if cut != "logits"]) > 2
    expected = by_hand(here, there, axis=FAMILIES[family], alpha=0.7)
    loss = penalty(model, Seen(x, torch.zeros(3, dtype=torch.int64), model.maps(x)))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    loss.backward()
    assert all(p.grad is not None for p in model.backbone.parameters() if p.dim() > 1)


def test_only_the_cuts_that_train_count(make: Make) -> None:
    whole, upper = make(), make(frozen="blocks.1")
    penalties = [FeatureMaps(model, alpha=1.0) for model in (whole, upper)]
    x, y = torch.randn(2, 3, 32, 32), torch.zeros(2, dtype=torch.int64)
    maps = whole.maps(x)
    changed = {cut: y + (cut in ("stem", "blocks.0", "blocks.1")) for cut, y in maps.items()}
    assert penalties[0](whole, Seen(x, y, changed)).item() > 0.1
    assert penalties[1](upper, Seen(x, y, changed)).item() == 0


def test_where_training_begins_nothing_is_apart(make: Make) -> None:
    model, x = make().train(), torch.randn(2, 3, 32, 32)
    penalty = FeatureMaps(model)
    assert penalty(model, Seen(x, torch.zeros(2, dtype=torch.int64), model.eval().maps(x))).item() == 0.0


def batches(model: Transferred) -> Batches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    return Batches(lambda i: pixels[i], model.backbone.preprocessing.tensor, np.arange(12), np.arange(12) % 3, 4)


def fit(model: Transferred, penalties: list[FeatureMaps], path: Path) -> dict[str, Tensor]:
    scores = iter(range(9, 0, -1))
    train(
        model,
        batches(model),
        objective=CrossEntropy(0.1, penalties=penalties),
        recipe=finetune(12, epochs=2),
        seed=0,
        evaluate=lambda _: Scores(np.full(2, next(scores)), 0.0),
        checkpoint=path,
        progress=lambda *_: None,
    )
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_with_no_weight_it_is_fine_tuning_bit_for_bit(make: Make, tmp_path: Path) -> None:
    plain = fit(make(), [], tmp_path / "plain")
    model = make()
    none = fit(model, [FeatureMaps(model, alpha=0.0)], tmp_path / "none")
    assert all(torch.equal(plain[name], none[name]) for name in plain)
    model = make()
    some = fit(model, [FeatureMaps(model)], tmp_path / "some")
    assert not all(torch.equal(plain[name], some[name]) for name in plain)


def test_the_source_stays_what_it_was_and_is_nobodys_parameter(make: Make, tmp_path: Path) -> None:
    model = make()
    penalty = FeatureMaps(model)
    before = {name: tensor.clone() for name, tensor in penalty.source.state_dict().items()}
    fit(model, [penalty], tmp_path / "c")
    after = penalty.source.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(module.training for module in penalty.source.modules())
    assert not any(p.requires_grad for p in penalty.source.parameters())
    assert own_parameters(CrossEntropy(penalties=[penalty])) == {}
    trained = {id(p) for p in model.parameters()}
    assert not trained & {id(p) for p in penalty.source.parameters()}
    kept = read_arrays(tmp_path / "c")
    assert kept is not None and {name.partition(".")[0] for name in kept[0]} == {"model", "best", "optimizer", "curve"}
    assert {name.removeprefix("model.") for name in kept[0] if name.startswith("model.")} == set(model.moving_state())


def test_it_stands_beside_the_loss_under_its_name(make: Make) -> None:
    model = make()
    batch = Batch(torch.randn(4, 3, 32, 32), torch.arange(4) % 3)
    losses = CrossEntropy(penalties=[FeatureMaps(model)])(model, batch, 0.0)
    assert list(losses) == ["cross_entropy", "delta"]
