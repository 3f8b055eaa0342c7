"""Several trials through the same batches: each ends as it would have alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.data.batches import Augmentation, Batch
from headstart.errors import InternalError
from headstart.objectives import CrossEntropy
from headstart.records.arrays import read_arrays
from headstart.training import Curve, Recipe, Trial, score, train_trials, variants

RECIPE = Recipe(epochs=3, batch_size=8, lr=1e-3, lr_head=1e-3, patience=9)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


class Counted:
    """Batches that count how often they are read."""

    def __init__(self, batches: Any) -> None:
        self.batches, self.read, self.y = batches, 0, batches.y

    def __len__(self) -> int:
        return len(self.batches)

    def in_order(self) -> Iterator[Batch]:
        return self.batches.in_order()

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        for batch in self.batches.shuffled(epoch, seed=seed, augmentation=augmentation, views=views):
            self.read += 1
            yield batch


def together(toy: Any, folder: Path, recipes: list[Recipe], stop_at: int = 0) -> tuple[list[Any], list[Curve], Counted]:
    """Models with dropout trained together, their curves, and what was read."""
    counted = Counted(toy.fit)
    models = [toy.model(dropout=0.3) for _ in recipes]

    def progress(done: int, planned: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    curves = train_trials(
        [Trial(m, r, folder / f"{number}") for number, (m, r) in enumerate(zip(models, recipes, strict=True))],
        counted,
        objective=CrossEntropy(0.1),
        seed=0,
        evaluate=lambda model: score(model, toy.judge),
        progress=progress,
    )
    return models, curves, counted


def test_trials_together_end_with_the_bits_that_each_has_alone(toy: Any, tmp_path: Path) -> None:
    recipes = variants(RECIPE, 3)
    models, curves, counted = together(toy, tmp_path / "t", recipes)
    assert counted.read == 3 * len(toy.fit), "every batch once for all of them"
    for number, recipe in enumerate(recipes):
        alone = toy.model(dropout=0.3)
        curve = toy.train(alone, replace(recipe, label_smoothing=0.1), tmp_path / f"alone{number}")
        np.testing.assert_equal(curves[number].to_json(), curve.to_json())
        got, expected = weights(models[number]), weights(alone)
        assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert len({curve.loss for curve in curves}) == 3


def test_a_trial_that_has_ended_waits_and_the_others_go_on(toy: Any, tmp_path: Path) -> None:
    told = {0: [1.0, 2, 3, 4], 1: [4.0, 3, 2, 1]}
    models = [toy.model(), toy.model()]
    seen: list[int] = []

    def evaluate(model: nn.Module) -> Any:
        number = models.index(model)
        seen.append(number)
        return type(score(model, toy.judge))(np.full(2, told[number].pop(0)), 0.5)

    recipe = replace(RECIPE, patience=1)
    trials = [Trial(model, recipe, tmp_path / str(number)) for number, model in enumerate(models)]
    first, second = train_trials(
        trials, toy.fit, objective=CrossEntropy(), seed=0, evaluate=evaluate, progress=lambda *_: None
    )
    assert seen == [0, 1, 0, 1, 0, 1, 1]
    assert (first.epoch, first.best_epoch, second.epoch, second.best_epoch) == (2, 0, 3, 3)


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("lost", [None, 0, 1])
def test_interrupted_trials_go_on_even_where_one_is_an_epoch_behind(
    toy: Any, tmp_path: Path, epoch: int, lost: int | None
) -> None:
    recipes = variants(RECIPE, 2)
    expected, curves, _ = together(toy, tmp_path / "whole", recipes)
    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        together(toy, folder, recipes, stop_at=(epoch - 1) * len(toy.fit) + 1)
    if lost is not None:  # as if the kill had come before this one's first checkpoint
        (folder / str(lost)).unlink(missing_ok=True)
    models, again, counted = together(toy, folder, recipes)
    for model, whole, curve, before in zip(models, expected, again, curves, strict=True):
        np.testing.assert_equal(curve.to_json(), before.to_json())
        got, wanted = weights(model), weights(whole)
        assert all(torch.equal(got[name], wanted[name]) for name in wanted)
    ends = len(toy.fit) * (3 - (epoch - 1 if lost is None else 0))
    assert counted.read == ends


@pytest.mark.parametrize("stop_at", [None, 4, 5])
@pytest.mark.parametrize("lost", [None, 0, 1])
def test_a_trial_shown_to_be_worse_is_dropped_at_the_rung_resumed_or_not(
    toy: Any, tmp_path: Path, stop_at: int | None, lost: int | None
) -> None:
    still = replace(RECIPE, epochs=8, lr=0.0, lr_head=0.0)
    recipes = [still, replace(still, lr=3e-3, lr_head=3e-3)]
    if stop_at is not None:
        with pytest.raises(KeyboardInterrupt):
            together(toy, tmp_path, recipes, stop_at=(stop_at - 1) * len(toy.fit) + 1)
        if lost is not None:
            (tmp_path / str(lost)).unlink(missing_ok=True)
    _, (first, second), _ = together(toy, tmp_path, recipes)
    assert (first.epoch, first.stopped) == (4, "another learning rate or decay was shown to do better")
    assert (second.epoch, second.stopped) == (8, "all planned epochs were done")


def test_trials_that_need_other_batches_are_refused(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="same batches"):
        together(toy, tmp_path, [RECIPE, replace(RECIPE, views=2)])


def test_a_twin_shares_what_is_frozen_and_trains_apart(toy: Any, tmp_path: Path) -> None:
    model = toy.model(frozen="blocks.1", source_statistics=True)
    twin = model.twin()
    moving = model.moving_state()
    own, its = model.state_dict(), twin.state_dict()
    assert 0 < len(moving) < len(own)
    assert all((own[name].data_ptr() == its[name].data_ptr()) == (name not in moving) for name in own)
    before = {name: tensor.clone() for name, tensor in own.items()}
    toy.train(twin, replace(RECIPE, epochs=1), tmp_path / "c")
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in own)
    assert not torch.equal(twin.state_dict()["head.weight"], before["head.weight"])


def test_a_checkpoint_holds_what_trains_and_no_more(toy: Any, tmp_path: Path) -> None:
    model = toy.model(frozen="blocks.1", source_statistics=True)
    toy.train(model, replace(RECIPE, epochs=1), tmp_path / "c")
    found = read_arrays(tmp_path / "c")
    assert found is not None
    kept = {name.removeprefix("model.") for name in found[0] if name.startswith("model.")}
    assert kept == set(model.moving_state()) and not any(name.startswith("backbone.network.conv_stem") for name in kept)


def test_variants_begin_with_the_recipe_itself() -> None:
    assert variants(RECIPE, 1) == [RECIPE]
    tried = variants(RECIPE, 4)
    assert tried[0] == RECIPE and len(set(tried)) == 4
    assert [one.lr / RECIPE.lr for one in tried] == pytest.approx([1, 3, 1 / 3, 3])
