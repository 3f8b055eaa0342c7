"""The rate finder: what it suggests, and that nothing of the model, the training or the random numbers is moved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Augmentation, Batch
from headstart.objectives import CrossEntropy
from headstart.training import Recipe, Sweep, find_rate, rate
from headstart.training.rate import DIVERGED, HIGHEST, LOWEST, STEPS, WINDOW

RECIPE = Recipe(epochs=2, batch_size=8, lr=1e-3, lr_head=2e-3, patience=9)


def everything(model: Transferred) -> dict[str, Any]:
    """All that a finder might leave changed, but the values of tensors."""
    return {
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "training": [m.training for m in model.modules()],
        "grad": [p.grad is None for p in model.parameters()],
        "places": [t.data_ptr() for t in (*model.parameters(), *model.buffers())],
        "held": model.held,
        "torch": torch.get_rng_state().tolist(),
        "numpy": [str(part) for part in np.random.get_state()],  # noqa: NPY002
    }


def tensors(model: Transferred) -> list[Tensor]:
    return [t.detach().clone() for t in (*model.parameters(), *model.buffers())]


class Restless(CrossEntropy):
    """Draws from all random numbers; fails at a step, if asked to."""

    def __init__(self, *, fails_at: int = 999) -> None:
        super().__init__(0.1)
        self.calls, self.fails_at = 0, fails_at

    def forward(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        np.random.rand()  # noqa: NPY002
        torch.rand(1)
        self.calls += 1
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        return super().forward(model, batch, progress)


@pytest.mark.parametrize("fails_at", [999, 1, 2, 31])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kept", [{}, {"source_statistics": True}, {"frozen": "blocks.0"}], ids=str)
def test_everything_is_as_it_was_also_after_an_interruption(
    toy: Any, kept: dict[str, Any], training: bool, fails_at: int
) -> None:
    model = toy.model(dropout=0.3, **kept).train(training)
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    values, state = tensors(model), everything(model)
    objective = Restless(fails_at=fails_at)
    if fails_at < 999:
        with pytest.raises(KeyboardInterrupt):
            find_rate(model, toy.fit, objective=objective, recipe=RECIPE, seed=0)
    else:
        found = find_rate(model, toy.fit, objective=objective, recipe=RECIPE, seed=0)
        assert objective.calls == 2 * len(found.rates) > 20
    assert everything(model) == state
    assert all(torch.equal(a, b) for a, b in zip(values, tensors(model), strict=True))


def test_a_training_after_it_ends_with_the_bits_that_it_would_have_without(toy: Any, tmp_path: Path) -> None:
    ends = []
    for name in ("with", "without"):
        model = toy.model(dropout=0.3)
        if name == "with":
            find_rate(model, toy.fit, objective=CrossEntropy(0.1), recipe=RECIPE, seed=0)
        toy.train(model, RECIPE, tmp_path / name)
        ends.append(tensors(model))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_the_same_seed_finds_the_same_and_progress_is_told(toy: Any) -> None:
    told: list[tuple[int, int]] = []
    one, other, third = (
        find_rate(
            toy.model(dropout=0.3),
            toy.fit,
            objective=CrossEntropy(),
            recipe=RECIPE,
            seed=seed,
            progress=lambda done, total: told.append((done, total)),
        )
        for seed in (0, 0, 1)
    )
    assert one == other != third
    assert told[0] == (1, STEPS) and len(told) == len(one.rates) + len(other.rates) + len(third.rates)


class Quadratic(nn.Module):
    """Stand in for a model and its copies: w against the target 0, moved by plain AdamW."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[3.0]]))

    def twin(self) -> Quadratic:
        copy = Quadratic()
        copy.load_state_dict(self.state_dict())
        return copy


class Repeated:
    """One batch over and over, with noise of its own that any model suffers alike."""

    def __len__(self) -> int:
        return 1

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        yield Batch(torch.tensor([float(epoch % 7)]), torch.zeros(1))


def quadratic(model: Any, batch: Batch, progress: float) -> dict[str, Tensor]:
    return {"noise": batch.x.sum(), "square": model.w.square().sum()}


def numpy_sweep() -> tuple[list[float], list[float], float]:
    """AdamW (β 0.9 and 0.999, no decay) on w² with gradients clipped to 5, transcribed."""
    w, m, v, changes, noise, rates = 3.0, 0.0, 0.0, [], [], []
    for t in range(1, STEPS + 1):
        rate_t = LOWEST * (HIGHEST / LOWEST) ** ((t - 1) / (STEPS - 1))
        rates.append(rate_t)
        noise.append(float(t % 7))
        changes.append(w**2 - 9.0)
        if sum(changes[-WINDOW:]) + sum(n + 9 for n in noise[-WINDOW:]) > DIVERGED * sum(
            n + 9 for n in noise[-WINDOW:]
        ):
            break
        g = 2 * w
        g *= min(1.0, 5.0 / (abs(g) + 1e-6))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= rate_t * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    smooth = [float(np.mean(changes[max(0, i - 2) : i + 3])) for i in range(len(changes))]
    return rates, smooth, rates[int(np.argmin(smooth))]


def test_the_sweep_is_that_of_a_transcription_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rate,
        "make_optimizer",
        lambda model, recipe, beside: torch.optim.AdamW([{"params": [model.w], "peak": recipe.lr}], weight_decay=0.0),
    )
    recipe = Recipe(epochs=1, batch_size=1, lr=0.5, lr_head=0.5)
    found = find_rate(Quadratic(), Repeated(), objective=quadratic, recipe=recipe, seed=0)  # type: ignore[arg-type]
    rates, changes, suggested = numpy_sweep()
    assert found.rates == pytest.approx(rates) and found.changes == pytest.approx(changes, abs=1e-4)
    assert found.suggested == pytest.approx(suggested) and LOWEST < suggested < HIGHEST


def steps(*losses: float) -> Iterator[tuple[float, float, float]]:
    return iter([(10.0**-number, loss, 1.0) for number, loss in enumerate(losses)])


@pytest.mark.parametrize(
    ("losses", "length", "suggested"),
    [
        ((1.0, 1.0, 1.0, 1.0), 4, None),
        ((1.0, 0.999, 0.998, 1.5), 4, None),
        ((1.0, 0.5, 0.2, 0.1, 0.2, 0.5, 3.0), 7, 1e-3),
        ((1.0, 0.8, 9.0, 0.1, 0.1), 3, None),
        ((1.0, 0.5, math.nan, 0.1), 2, 1.0),
        ((math.inf,), 0, None),
    ],
)
def test_it_ends_where_the_loss_diverges_and_suggests_nothing_where_it_never_fell(
    losses: tuple[float, ...], length: int, suggested: float | None
) -> None:
    found: Sweep = rate._until_diverged(steps(*losses), lambda done, total: None)
    assert len(found.rates) == len(found.changes) == length
    assert found.suggested == (None if suggested is None else pytest.approx(suggested))
    assert all(math.isfinite(value) for value in found.changes)
