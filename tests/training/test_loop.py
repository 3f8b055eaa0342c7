"""The loop learns, stops, goes back to its best epoch, and resumes with the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.data.batches import Augmentation
from headstart.errors import RunError
from headstart.training import Curve, Recipe, Scores
from headstart.training.curve import losers, stop
from headstart.training.loop import make_optimizer, rate

RECIPE = Recipe(epochs=4, batch_size=8, lr=2e-3, lr_head=2e-3, label_smoothing=0.0, patience=10)
GENTLE = Augmentation(shift=0.05, scale=(0.95, 1.05), rotation=3, contrast=0.05, brightness=0.05)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def scripted(losses: list[float]) -> Callable[[nn.Module], Scores]:
    """An evaluation that says what it was told to say, one epoch after the other."""
    told = iter(losses)
    return lambda _model: Scores(np.full(2, float(next(told))), 0.5)


def test_a_separable_problem_is_learned_and_holds_on_new_images(toy: Any, tmp_path: Path) -> None:
    model = toy.model()
    curve = toy.train(model, replace(RECIPE, epochs=12, lr=3e-3, augmentation=GENTLE), tmp_path / "c")
    first, best = curve.points[0], curve.points[curve.best_epoch]
    assert first.epoch == 0 and math.isnan(first.train_loss) and first.value < 0.7
    assert min(p.train_loss for p in curve.points[1:]) < 0.1
    assert best.value == 1.0 and best.loss < 0.1 < first.loss
    assert [p.epoch for p in curve.points] == list(range(len(curve.points)))
    assert not any(module.training for module in model.modules())


def test_the_best_epoch_is_what_is_left(toy: Any, tmp_path: Path) -> None:
    kept: list[dict[str, Tensor]] = []
    told = iter([3.0, 2.0, 1.0, 1.5, 1.5])

    def evaluate(model: nn.Module) -> Scores:
        kept.append(weights(model))
        return Scores(np.full(2, float(next(told))), 0.5)

    model = toy.model()
    curve = toy.train(model, RECIPE, tmp_path / "c", evaluate=evaluate)
    assert curve.best_epoch == 2 and curve.points[curve.best_epoch].loss == min(p.loss for p in curve.points)
    assert same(weights(model), kept[2])
    assert not same(kept[2], kept[4]) and not same(kept[0], kept[2])


def test_a_model_that_only_gets_worse_stays_as_it_came(toy: Any, tmp_path: Path) -> None:
    model = toy.model()
    before = weights(model)
    curve = toy.train(model, replace(RECIPE, epochs=2), tmp_path / "c", evaluate=scripted([1.0, 2.0, 3.0]))
    assert curve.best_epoch == 0 and not curve.still_improving
    assert same(weights(model), before)


def test_patience_ends_it_and_says_why(toy: Any, tmp_path: Path) -> None:
    curve = toy.train(
        toy.model(), replace(RECIPE, epochs=9, patience=2), tmp_path / "c", evaluate=scripted([3, 2, 2.5, 2.1, 1, 0])
    )
    assert [p.loss for p in curve.points] == [3, 2, 2.5, 2.1]
    assert curve.stopped == "the validation loss had been above its lowest for 2 epochs"


def test_patience_is_not_lost_on_the_first_disturbance(toy: Any, tmp_path: Path) -> None:
    """The model as it came is better than the first epochs: what counts is whether these get better."""
    told = [1.0, 4, 3, 2, 1.5, 0.5]
    curve = toy.train(toy.model(), replace(RECIPE, epochs=5, patience=1), tmp_path / "c", evaluate=scripted(told))
    assert [p.loss for p in curve.points] == told and curve.best_epoch == 5
    curve = toy.train(
        toy.model(), replace(RECIPE, epochs=5, patience=1), tmp_path / "d", evaluate=scripted([1.0, 4, 3, 3.5])
    )
    assert len(curve.points) == 4 and curve.best_epoch == 0
    assert curve.stopped == "the validation loss had been above its lowest for 1 epoch"


def spread(means: list[float], *, by: float) -> Callable[[nn.Module], Scores]:
    """An evaluation of 20 images whose losses are spread about what it was told to say, otherwise every time."""
    told, rng = iter(means), np.random.default_rng(0)
    noise = [rng.permutation(np.linspace(-by, by, 20)) for _ in means]
    return lambda _model: Scores(next(told) + noise.pop(), 0.5)


def test_a_later_epoch_is_taken_where_its_loss_is_within_a_standard_error(toy: Any, tmp_path: Path) -> None:
    """One of 20 noisy losses is the lowest by luck; without noise the same means pick it."""
    told, epochs = [5.0, 1.0, 1.2, 1.1, 1.02], replace(RECIPE, epochs=4, patience=9)
    assert toy.train(toy.model(), epochs, tmp_path / "c", evaluate=spread(told, by=0.0)).best_epoch == 1
    curve = toy.train(toy.model(), epochs, tmp_path / "d", evaluate=spread(told, by=0.5))
    assert (curve.lowest_epoch, curve.best_epoch, curve.still_improving) == (1, 4, False)


@pytest.mark.parametrize(("images", "fallen_to", "best"), [(100, 0.04, 0), (100, 0.3, 1), (4, 0.25, 1)])
def test_a_network_that_has_fallen_to_guessing_is_passed_over(images: int, fallen_to: float, best: int) -> None:
    """Its loss is hardly above that of a head that is often right, and as often surely wrong."""
    curve, spread_out = Curve(), np.linspace(-1, 1, images)
    for epoch, (loss, value) in enumerate([(3.25, 0.4), (3.26, fallen_to)]):
        right = np.arange(images) >= round((1 - value) * images)
        losses = loss + (spread_out if epoch else -spread_out)
        curve.add(epoch, 3.3, Scores(losses, float(right.mean()), right.astype(float)))
        curve = Curve.from_json(json.loads(json.dumps(curve.to_json())), curve.arrays())
    assert curve.best_epoch == best


def test_the_standard_error_is_paired_over_images(toy: Any, tmp_path: Path) -> None:
    """Images that are hard stay hard: what they differ by from one another says nothing of the epochs."""
    hard, told = np.linspace(0, 8, 20), iter([5.0, 1.0, 1.2])
    curve = toy.train(
        toy.model(), replace(RECIPE, epochs=2), tmp_path / "c", evaluate=lambda _: Scores(next(told) + hard, 0.5)
    )
    assert curve.best_epoch == 1
    rng = np.random.default_rng(1)
    first, second = rng.normal(1, 0.3, (2, 15))
    curve = Curve()
    for epoch, losses in enumerate((first + 9, first, second)):
        curve.add(epoch, 0.0, Scores(losses, 0.5))
    expected = math.sqrt(((second - first - (second - first).mean()) ** 2).sum() / 14 / 15)
    assert curve.points[2].error == (pytest.approx(expected) if second.mean() > first.mean() else 0)
    assert Curve.from_json(json.loads(json.dumps(curve.to_json())), curve.arrays()).points == curve.points


def test_noise_alone_does_not_end_it(toy: Any, tmp_path: Path) -> None:
    told = [5.0, 1.0, *[1.1] * 6]
    long = replace(RECIPE, epochs=7, patience=2)
    assert toy.train(toy.model(), long, tmp_path / "c", evaluate=spread(told, by=0.5)).epoch == 7
    assert toy.train(toy.model(), long, tmp_path / "d", evaluate=spread(told, by=0.01)).epoch == 3


def curve_of(means: list[float], *, rung: int, by: float = 0.1) -> Curve:
    """A curve of 40 images whose losses are spread about the means."""
    curve, noise = Curve(), np.linspace(-by, by, 40)
    for epoch, mean in enumerate(means):
        curve.add(epoch, 0.0, Scores(mean + noise[:: -1 if epoch % 2 else 1], 0.5), rung=epoch == rung)
    return curve


def test_it_is_dropped_where_twice_its_last_gain_and_two_errors_do_not_reach_the_rival() -> None:
    recipe = replace(RECIPE, epochs=8)
    curve = curve_of([3.0, 2.5, 2.0, 1.9, 1.8], rung=4)
    error = np.linspace(-0.1, 0.1, 40).std(ddof=1) / math.sqrt(40)
    optimistic = 1.8 - 2 * (2.0 - 1.8) - 2 * error
    assert stop(curve, recipe, rival=optimistic + 1e-6) == ""
    assert stop(curve, recipe, rival=optimistic - 1e-6).startswith("even an optimistic continuation")
    assert stop(curve, recipe) == ""
    assert not curve.behind
    curve.stopped = stop(curve, recipe, rival=optimistic - 1e-6)
    assert curve.behind
    assert stop(curve_of([3.0, 2.5, 2.0, 1.9], rung=4), recipe, rival=0.0) == ""  # the rung has not come
    assert (replace(recipe, epochs=7).rung, replace(recipe, gradual=True).rung) == (0, 0)


def test_losers_are_shown_to_be_worse_than_the_best_at_the_rung() -> None:
    best, close, worse = (curve_of([2.0, mean], rung=1, by=by) for mean, by in ((1.0, 0.1), (1.01, 0.2), (1.2, 0.2)))
    assert losers([close, best, worse]) == [2]
    assert losers([worse, curve_of([2.0], rung=1)]) == []  # one of them has not come to it


def test_all_epochs_done_and_still_improving(toy: Any, tmp_path: Path) -> None:
    curve = toy.train(toy.model(), replace(RECIPE, epochs=2), tmp_path / "c", evaluate=scripted([3, 2, 1]))
    assert curve.stopped == "all planned epochs were done" and curve.still_improving
    assert curve.to_json()["still_improving"] is True and curve.to_json()["best_epoch"] == 2


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_it_and_the_best_epoch_remains(toy: Any, tmp_path: Path, loss: float) -> None:
    model = toy.model()
    curve = toy.train(model, RECIPE, tmp_path / "c", evaluate=scripted([3.0, 2.0, loss, 1.0, 0.0]))
    assert curve.stopped == "the validation loss was no longer finite"
    assert curve.best_epoch == 1 and len(curve.points) == 3
    assert all(torch.isfinite(t).all() for t in model.state_dict().values() if t.is_floating_point())


def test_progress_counts_every_step(toy: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    toy.train(toy.model(), replace(RECIPE, epochs=2), tmp_path / "c", progress=lambda *step: seen.append(step))
    steps = 2 * len(toy.fit)
    assert seen == [(i + 1, steps) for i in range(steps)]


def unbroken(toy: Any, folder: Path, recipe: Recipe, **choices: Any) -> tuple[dict[str, Tensor], dict[str, object]]:
    model = toy.model(**choices)
    curve = toy.train(model, recipe, folder / "unbroken")
    return weights(model), curve.to_json()


def same_curve(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Equal to the last bit; the training loss of epoch 0 is not a number in both."""
    np.testing.assert_equal(a, b)
    return True


@pytest.mark.parametrize("choices", [{"dropout": 0.3}, {"frozen": "blocks.1", "source_statistics": True}])
@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_resumed_training_ends_with_the_same_bits(
    toy: Any, tmp_path: Path, epoch: int, choices: dict[str, Any]
) -> None:
    expected, curve = unbroken(toy, tmp_path, RECIPE, **choices)

    class Killed(Exception):
        pass

    def kill(done: int, planned: int) -> None:
        if done == (epoch - 1) * len(toy.fit) + 2:
            raise Killed

    with pytest.raises(Killed):
        toy.train(toy.model(**choices), RECIPE, tmp_path / "c", progress=kill)
    assert (tmp_path / "c").exists() == (epoch > 1)
    torch.rand(7)  # the global generator stands elsewhere in the new process
    seen: list[int] = []
    model = toy.model(**choices)
    resumed = toy.train(model, RECIPE, tmp_path / "c", progress=lambda done, planned: seen.append(done))
    assert seen[0] == (epoch - 1) * len(toy.fit) + 1, "finished epochs are not trained again"
    assert same(weights(model), expected)
    assert same_curve(resumed.to_json(), curve)


def test_a_training_does_not_go_on_above_other_frozen_weights(toy: Any, tmp_path: Path) -> None:
    def kill(done: int, planned: int) -> None:
        if done == len(toy.fit) + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.train(toy.model(frozen="blocks.1"), RECIPE, tmp_path / "c", progress=kill)
    written = (tmp_path / "c").read_bytes()
    other = toy.model(frozen="blocks.1")
    # The last bit of one number.
    frozen = next(t for t in other.fixed_state().values() if t.dim() == 1)
    frozen.data.view(torch.int32)[0] ^= 1
    with pytest.raises(RunError, match="frozen weights of the network have changed"):
        toy.train(other, RECIPE, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == written
    curve = toy.train(toy.model(frozen="blocks.1"), RECIPE, tmp_path / "c")
    assert len(curve.points) > 2


def test_a_finished_training_is_not_repeated(toy: Any, tmp_path: Path) -> None:
    expected, curve = unbroken(toy, tmp_path, replace(RECIPE, epochs=2))
    model = toy.model()
    again = toy.train(
        model,
        replace(RECIPE, epochs=2),
        tmp_path / "unbroken",
        evaluate=lambda _model: pytest.fail("evaluated again"),
        progress=lambda *_: pytest.fail("trained again"),
    )
    assert same(weights(model), expected) and same_curve(again.to_json(), curve)


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "garbage": lambda whole: b"garbage" * 99,
    "cut off": lambda whole: whole[:-500],
    "a flipped bit": lambda whole: whole[:-501] + bytes([whole[-501] ^ 1]) + whole[-500:],
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_damaged_checkpoint_means_a_new_start(toy: Any, tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    recipe = replace(RECIPE, epochs=2)
    expected, curve = unbroken(toy, tmp_path, recipe)
    path = tmp_path / "c"
    path.write_bytes(harm((tmp_path / "unbroken").read_bytes()))
    model = toy.model()
    anew = toy.train(model, recipe, path)
    assert same(weights(model), expected) and same_curve(anew.to_json(), curve)


def test_seeds_decide(toy: Any, tmp_path: Path) -> None:
    ends = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        model = toy.model()
        toy.train(model, replace(RECIPE, epochs=1), tmp_path / name, seed=seed)
        ends.append(weights(model))
    assert same(ends[0], ends[1]) and not same(ends[0], ends[2])


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (37, 0.25), (10, 0.0), (1, 0.1), (4, 1.0)])
def test_the_rate_rises_on_a_line_and_falls_on_a_cosine(steps: int, warmup: float) -> None:
    rising = max(1, round(warmup * steps))
    line = np.linspace(0, 1, rising + 1)[1:]
    falling = steps - rising
    cosine = (np.cos(np.pi * np.arange(falling) / max(falling, 1)) + 1) / 2
    got = [rate(step, steps=steps, warmup=warmup) for step in range(steps)]
    np.testing.assert_allclose(got, np.concatenate([line, cosine]), atol=1e-12)
    if falling:
        assert rate(steps, steps=steps, warmup=warmup) == pytest.approx(0, abs=1e-12)


def test_the_rate_that_the_optimiser_uses_is_the_schedule_times_the_peak(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[list[tuple[float, float]]] = []
    step = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *arguments: Any) -> Any:
        used.append([(group["lr"], group["peak"]) for group in self.param_groups])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    recipe = replace(RECIPE, epochs=3, lr=1e-4, lr_head=1e-3)
    toy.train(toy.model(), recipe, tmp_path / "c")
    steps = 3 * len(toy.fit)
    assert len(used) == steps
    for done, groups in enumerate(used):
        assert {peak for _, peak in groups} == {1e-4, 1e-3}
        for lr, peak in groups:
            assert lr == pytest.approx(peak * rate(done, steps=steps, warmup=0.1))


def test_groups_of_the_optimiser(toy: Any) -> None:
    model = toy.model(frozen="blocks.1")
    optimizer = make_optimizer(model, Recipe(epochs=1, batch_size=8, lr=1e-4, lr_head=1e-2, weight_decay=0.03))
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(of)
    for name, parameter in model.named_parameters():
        assert (id(parameter) in of) is parameter.requires_grad, name
        if parameter.requires_grad:
            assert of[id(parameter)]["peak"] == (1e-2 if name.startswith("head.") else 1e-4), name
            assert of[id(parameter)]["weight_decay"] == (0.03 if parameter.dim() > 1 else 0.0), name
    assert len(optimizer.param_groups) == 4
