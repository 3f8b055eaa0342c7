"""Co-Tuning against the formula, written down once more in numpy; what the objective learns trains, and resumes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Batches
from headstart.errors import InternalError
from headstart.objectives import CoTuning, CrossEntropy, Seen, Start
from headstart.objectives.cotuning import relation
from headstart.records.arrays import read_arrays
from headstart.training import Scores, Trial, finetune, train_trials, variants
from headstart.training.objective import own_parameters

Make = Callable[..., Transferred]
SOURCE_CLASSES = 7


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def start_of(model: Transferred, n: int = 12) -> Start:
    """A classifier and features from fixed seeds; every class has images."""
    width = model.backbone.widths["top"]
    torch.manual_seed(3)
    z = np.random.default_rng(3).normal(size=(n, width)).astype("f4")
    return Start(model, nn.Linear(width, SOURCE_CLASSES), z, np.arange(n) % 3)


def test_the_relation_is_the_mean_of_the_sources_shares_class_by_class() -> None:
    rng = np.random.default_rng(0)
    theta, y = softmax(rng.normal(size=(20, 6))), rng.integers(0, 3, 20)
    found = relation(theta, y, 4)
    for c in range(3):
        own = [theta[i] for i in range(20) if y[i] == c]
        np.testing.assert_allclose(found[c], sum(own) / len(own), rtol=1e-12)
        assert found[c].sum() == pytest.approx(1)
    assert not found[3].any(), "a class without images"


def test_value_and_gradients(make: Make) -> None:
    model = make()
    start = start_of(model)
    assert start.classifier is not None
    weight, bias = (p.detach().numpy().astype("f8") for p in start.classifier.parameters())
    theta = softmax(start.z @ weight.T + bias)
    known = np.stack([theta[start.y == c].mean(0) for c in range(3)])
    y = np.array([2, 0, 2, 1])
    z = torch.randn(4, start.z.shape[1], requires_grad=True)
    p = softmax(z.detach().numpy() @ weight.T + bias)

    penalty = CoTuning(start, weight=0.6)
    loss = penalty(model, Seen(z, torch.from_numpy(y), {"top": z}))
    loss.backward()

    assert loss.item() == pytest.approx(-0.6 * (known[y] * np.log(p)).sum(1).mean(), rel=1e-5)
    toward = 0.6 * (p - known[y]) / 4
    assert z.grad is not None and penalty.classifier.weight.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), toward @ weight, atol=1e-6)
    np.testing.assert_allclose(penalty.classifier.weight.grad.numpy(), toward.T @ z.detach().numpy(), atol=1e-5)
    assert start.classifier.weight.grad is None, "the classifier is copied"


def test_a_network_without_a_classifier_is_refused(make: Make) -> None:
    model = make()
    with pytest.raises(InternalError, match="without a classifier"):
        CoTuning(Start(model, None, start_of(model).z, np.arange(12) % 3))


@dataclass
class Fitted:
    """What a training left: models' states, the objective's parameters, and where its checkpoints are."""

    states: list[dict[str, Tensor]]
    own: dict[str, Tensor]
    folder: Path


def fit(make: Make, folder: Path, *, weight: float | None = 2.3, trials: int = 1, stop_at: int = 0) -> Fitted:
    """Three epochs of the trials; the objective is made anew, as it is when a run is resumed."""
    models = [make() for _ in range(trials)]
    penalties = [] if weight is None else [CoTuning(start_of(models[0]), weight=weight)]
    objective = CrossEntropy(0.1, penalties=penalties)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    of = models[0].backbone.preprocessing
    batches = Batches(lambda i: pixels[i], of.tensor, np.arange(12), np.arange(12) % 3, 4)

    def evaluate(model: nn.Module) -> Scores:
        return Scores(np.full(2, -sum(p.abs().sum().item() for p in model.parameters())), 0.0)

    def progress(done: int, _: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    recipes = variants(finetune(12, epochs=3), trials)
    with suppress(KeyboardInterrupt):
        train_trials(
            [Trial(m, r, folder / f"{i}") for i, (m, r) in enumerate(zip(models, recipes, strict=True))],
            batches,
            objective=objective,
            seed=0,
            evaluate=evaluate,
            progress=progress,
        )
    own = {name: p.detach().clone() for name, p in own_parameters(objective).items()}
    return Fitted([{n: t.clone() for n, t in m.state_dict().items()} for m in models], own, folder)


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_with_no_weight_it_is_fine_tuning_bit_for_bit(make: Make, tmp_path: Path) -> None:
    plain = fit(make, tmp_path / "plain", weight=None)
    assert equal(plain.states[0], fit(make, tmp_path / "none", weight=0.0).states[0])
    assert not equal(plain.states[0], fit(make, tmp_path / "some").states[0])


def test_the_classifier_trains_and_is_not_in_the_model(make: Make, tmp_path: Path) -> None:
    model = make()
    begin = start_of(model).classifier
    assert begin is not None
    fitted = fit(make, tmp_path / "c")
    assert len(fitted.own) == 2
    assert not any(torch.equal(now, then) for now, then in zip(fitted.own.values(), begin.parameters(), strict=True))
    assert fitted.states[0].keys() == model.state_dict().keys()


@pytest.mark.parametrize("stop_at", [4, 7])
def test_interrupted_it_goes_on_and_ends_with_the_same_bits(make: Make, tmp_path: Path, stop_at: int) -> None:
    whole = fit(make, tmp_path / "whole")
    fit(make, tmp_path / "broken", stop_at=stop_at)
    kept = read_arrays(tmp_path / "broken" / "0")
    assert kept is not None and {n for n in kept[0] if n.startswith("beside.")} == {f"beside.{n}" for n in whole.own}
    again = fit(make, tmp_path / "broken")
    assert equal(again.states[0], whole.states[0]) and equal(again.own, whole.own)


def test_trials_together_each_have_a_classifier_of_their_own(make: Make, tmp_path: Path) -> None:
    alone = fit(make, tmp_path / "alone")
    together = fit(make, tmp_path / "together", trials=2)
    assert equal(together.states[0], alone.states[0]) and equal(together.own, alone.own)
    fit(make, tmp_path / "broken", trials=2, stop_at=7)
    (tmp_path / "broken" / "1").unlink()  # the first one has saved an epoch, the second one has not
    again = fit(make, tmp_path / "broken", trials=2)
    assert all(equal(a, b) for a, b in zip(again.states, together.states, strict=True))
    kept = [read_arrays(tmp_path / "together" / str(i)) for i in range(2)]
    assert kept[0] is not None and kept[1] is not None
    name = f"beside.{next(iter(together.own))}"
    assert not np.array_equal(kept[0][0][name], kept[1][0][name])
