"""What an objective may do before an epoch and after a step, and the training that ends at its last epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Augmentation
from headstart.errors import InternalError
from headstart.training import AfterStep, AtEpoch, Curve, Recipe, Scores, Trial, adapting, train_trials, variants

RECIPE = Recipe(epochs=4, batch_size=8, lr=2e-3, lr_head=2e-3, label_smoothing=0.0, patience=10)


class Following(nn.Module):
    """A number that follows the head's bias, and one that predictions give before each epoch; heads have dropout."""

    trail: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("trail", torch.zeros(()))
        self.seen = 0.0
        self.told: list[str] = []

    def forward(self, model: Transferred, batch: Tensor, progress: float) -> dict[str, Tensor]:
        return {"loss": (model(batch).square().mean() - self.trail - self.seen).square()}

    def at_epoch(self, model: Transferred, batches: Any) -> None:
        self.told.append("epoch")
        with torch.no_grad():
            self.seen = float(model.eval()(batches.x).mean())

    def after_step(self, model: Transferred) -> None:
        self.told.append("step")
        self.trail.mul_(0.9).add_(0.1 * model.head[1].bias.detach().sum())  # type: ignore[index]


class Bare:
    """Three batches of images and nothing else: what a batch is, the loop does not ask."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.x = torch.randn(6, 3, 32, 32)

    def __len__(self) -> int:
        return 3

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Tensor]:
        yield from self.x.roll(epoch, 0).split(2)


def run(toy: Any, folder: Path, *, trials: int = 1, stop_at: int = 0) -> tuple[list[Any], Following]:
    models, objective = [toy.model(dropout=0.2) for _ in range(trials)], Following()

    def progress(done: int, planned: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        train_trials(
            [
                Trial(m, r, folder / str(i))
                for i, (m, r) in enumerate(zip(models, variants(RECIPE, trials), strict=True))
            ],
            Bare(),
            objective=objective,
            seed=0,
            evaluate=lambda model: Scores(np.full(2, float(model.head[1].bias.detach().sum())), 0.5),
            progress=progress,
        )
    return models, objective


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def test_an_objective_is_told_before_each_epoch_and_after_each_step(toy: Any, tmp_path: Path) -> None:
    _, objective = run(toy, tmp_path)
    assert objective.told == ["epoch", "step", "step", "step"] * 4
    assert isinstance(objective, AtEpoch) and isinstance(objective, AfterStep)
    assert objective.trail.item() != 0


@pytest.mark.parametrize("stop_at", [2, 5, 10])
@pytest.mark.parametrize("trials", [1, 2])
def test_what_it_keeps_is_resumed_with_the_same_bits(toy: Any, tmp_path: Path, stop_at: int, trials: int) -> None:
    expected, whole = run(toy, tmp_path / "whole", trials=trials)
    run(toy, tmp_path / "broken", trials=trials, stop_at=stop_at)
    again, objective = run(toy, tmp_path / "broken", trials=trials)
    assert all(same(one, other) for one, other in zip(again, expected, strict=True))
    assert torch.equal(objective.trail, whole.trail)
    alone, _ = run(toy, tmp_path / "alone")
    assert same(alone[0], expected[0]), "each trial has an objective of its own"


def scripted(losses: list[float]) -> Any:
    told = iter(losses)
    return lambda _model: Scores(np.full(2, float(next(told))), 0.5)


def ended(toy: Any, path: Path, losses: list[float], recipe: Recipe) -> Curve:
    return toy.train(toy.model(), recipe, path, evaluate=scripted(losses))


def test_the_last_epoch_is_handed_back_whatever_the_loss_says(toy: Any, tmp_path: Path) -> None:
    recipe = replace(adapting(30, epochs=4), augmentation=None)
    curve = ended(toy, tmp_path / "c", [1.0, 2.0, 3.0, 4.0, 5.0], recipe)
    assert (curve.best_epoch, curve.lowest_epoch, curve.stopped) == (4, 1, "all planned epochs were done")
    plain = ended(toy, tmp_path / "d", [1.0, 2.0, 3.0, 4.0, 5.0], replace(recipe, last=False))
    assert plain.best_epoch == 0
    broken = ended(toy, tmp_path / "e", [1.0, 2.0, float("nan")], recipe)
    assert (broken.best_epoch, broken.stopped) == (1, "the validation loss was no longer finite")


def test_a_head_that_takes_no_gradient_is_frozen_and_watched(toy: Any, tmp_path: Path) -> None:
    model = toy.model()
    model.head.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.head.state_dict().items()}
    assert {"head.weight", "head.bias"} <= model.fixed_state().keys() - model.moving_state().keys()
    assert model.parts()[-1].training == 0
    toy.train(model, replace(RECIPE, epochs=1), tmp_path / "c", evaluate=scripted([2.0, 1.0]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.head.state_dict().items())

    def meddle(current: nn.Module) -> Scores:
        with torch.no_grad():
            current.head.bias.add_(1.0)  # type: ignore[operator,union-attr]
        return Scores(np.full(2, 1.0), 0.5)

    with pytest.raises(InternalError, match="frozen part"):
        toy.train(model, replace(RECIPE, epochs=1), tmp_path / "d", evaluate=meddle)
