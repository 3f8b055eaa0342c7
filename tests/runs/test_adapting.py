"""The contract of every way to train towards a domain without labels, on a small real network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred, load_random
from headstart.data.batches import Augmentation, Batches
from headstart.data.domains import Pair, Paired, UnlabelledBatches
from headstart.errors import InternalError
from headstart.objectives import CrossEntropy
from headstart.objectives.adapt import Adapting, PseudoLabels
from headstart.problem.read import read_labelled
from headstart.runs.adapting import AdaptedNetwork, adapt_network, head_first
from headstart.runs.options import Reading
from headstart.runs.preparing import read
from headstart.runs.two_domains import SourceImages, TargetImages
from headstart.strategies import DEEP_ADAPTATIONS, DeepAdaptation
from headstart.training import Recipe, Scores, adapting, train

K, SIZE = 3, 32
rows = pytest.mark.parametrize("row", DEEP_ADAPTATIONS.values(), ids=DEEP_ADAPTATIONS)
aligned = pytest.mark.parametrize(
    "row", [row for row in DEEP_ADAPTATIONS.values() if row.alignment], ids=lambda row: row.name
)
trained = pytest.mark.parametrize(
    "row", [row for row in DEEP_ADAPTATIONS.values() if row.recipe], ids=lambda row: row.name
)


def pixels_of(n: int, *, seed: int, shift: int) -> np.ndarray:
    """Noise in which the class is the brightest colour."""
    pixels = np.random.default_rng(seed).integers(30, 90, (n, SIZE, SIZE, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        image[..., number % K] += 80
    return pixels + np.uint8(shift)


def source_of(n: int = 18) -> SourceImages:
    pixels, keys = pixels_of(n, seed=1, shift=0), [f"s{i}" for i in range(n)]
    return SourceImages(pixels.__getitem__, np.arange(n), np.arange(n) % K, K, keys, np.arange(n))


def target_of(n: int = 21) -> TargetImages:
    pixels = pixels_of(n, seed=2, shift=60)
    return TargetImages(pixels.__getitem__, np.arange(n), [f"t{i}" for i in range(n)])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def start() -> Transferred:
    """Return the network with its fitted head; no test may change it."""
    return head_first(
        load_random("test_efficientnet", size=SIZE, seed=0), source_of(), seed=0, device=torch.device("cpu")
    )


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def fit(
    row: DeepAdaptation, start: Transferred, path: Path, *, stop_at: int = 0, seed: int = 0, n_t: int = 21
) -> AdaptedNetwork:
    def progress(done: int, planned: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    source = source_of() if row.sees_source else None
    return adapt_network(
        row, start, source=source, target=target_of(n_t), epochs=2, seed=seed, checkpoint=path, progress=progress
    )


@rows
def test_it_ends_finite_with_a_linear_head_and_leaves_its_start_alone(
    row: DeepAdaptation, start: Transferred, tmp_path: Path
) -> None:
    before, random = state(start), torch.get_rng_state()
    adapted = fit(row, start, tmp_path / "c")
    assert same(state(start), before) and not start.training
    after = state(adapted.model)
    assert after.keys() == before.keys() and not same(after, before)
    assert all(torch.isfinite(tensor).all() for tensor in after.values() if tensor.is_floating_point())
    assert isinstance(adapted.model.head, nn.Linear) and not adapted.model.training
    assert (adapted.curve is None) is (row.recipe is None) is (adapted.recipe == {})
    if adapted.curve:
        points = adapted.curve.points
        assert [point.epoch for point in points] == [0, 1, 2] and np.isfinite([p.loss for p in points]).all()
        assert np.isfinite([p.train_loss for p in points[1:]]).all()
        assert adapted.curve.best_epoch == 2 or not row.sees_target
    json.dumps(adapted.recipe)
    assert len(random) == len(torch.get_rng_state())


@rows
def test_the_same_seed_gives_the_same_bits(row: DeepAdaptation, start: Transferred, tmp_path: Path) -> None:
    one, other = (state(fit(row, start, tmp_path / name).model) for name in "ab")
    assert same(one, other)


@trained
def test_interrupted_it_goes_on_and_ends_with_the_same_bits(
    row: DeepAdaptation, start: Transferred, tmp_path: Path
) -> None:
    whole = fit(row, start, tmp_path / "whole")
    with suppress(KeyboardInterrupt):
        fit(row, start, tmp_path / "broken", stop_at=4 if row.sees_target else 2)
    assert (tmp_path / "broken").exists() and not same(state(start), state(whole.model))
    again = fit(row, start, tmp_path / "broken")
    assert same(state(again.model), state(whole.model))
    np.testing.assert_equal(again.curve and again.curve.to_json(), whole.curve and whole.curve.to_json())


@aligned
def test_domains_of_unequal_size(row: DeepAdaptation, start: Transferred, tmp_path: Path) -> None:
    adapted = fit(row, start, tmp_path / "c", n_t=50)
    assert adapted.curve is not None and np.isfinite([p.loss for p in adapted.curve.points]).all()


@rows
def test_what_is_frozen_stays_bit_for_bit(row: DeepAdaptation, start: Transferred, tmp_path: Path) -> None:
    before, after = state(start), state(fit(row, start, tmp_path / "c").model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {name for name in before if "running_" in name}
    if row.recipe is None:
        assert moved == statistics
    else:
        assert not moved & statistics, "batch norms keep the statistics that the head was fitted to"
        assert {"head.weight", "head.bias"} & moved == (set() if row.alone else {"head.weight", "head.bias"})


def batch_of(start: Transferred) -> tuple[Pair, UnlabelledBatches]:
    source, target = source_of(), target_of()
    of, device = start.backbone.preprocessing, torch.device("cpu")
    images = target.batches(of, size=9, device=device)
    pairs = Paired(source.batches(np.arange(18), of, size=6, device=device), images)
    return next(iter(pairs.shuffled(1, seed=0, augmentation=Augmentation()))), images


def own(row: DeepAdaptation, model: Transferred) -> Any:
    torch.manual_seed(0)
    assert row.alignment is not None
    return row.alignment(model)


def test_another_seed_gives_another_model(start: Transferred, tmp_path: Path) -> None:
    one, other = (state(fit(DEEP_ADAPTATIONS["dann"], start, tmp_path / str(seed), seed=seed).model) for seed in (0, 1))
    assert not same(one, other)


@aligned
def test_its_gradient_reaches_the_backbone(row: DeepAdaptation, start: Transferred) -> None:
    model, (pair, images) = start.twin(), batch_of(start)
    alignment = own(row, model)
    if isinstance(alignment, PseudoLabels):
        alignment.label(model, images)
    if hasattr(alignment, "teacher"):
        alignment.confidence = 0.0
    losses = Adapting(alignment)(model, pair, 0.5)
    assert list(losses) == ["cross_entropy", alignment.name]
    assert all(loss.dim() == 0 and torch.isfinite(loss) for loss in losses.values())
    losses[alignment.name].backward()
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.backbone.parameters()]
    assert sum(reached) > len(reached) / 2
    assert len(pair.source.y) != len(pair.target.x)


class SourceAlone:
    """Plain training on the source's half of each pair."""

    def __call__(self, model: Any, batch: Pair, progress: float) -> dict[str, Tensor]:
        return CrossEntropy(0.1)(model, batch.source, progress)


@aligned
def test_without_weight_it_is_plain_training_on_the_source_bit_for_bit(
    row: DeepAdaptation, start: Transferred, tmp_path: Path
) -> None:
    ends = []
    for name in ("plain", "none", "some"):
        model = start.twin()
        weight = {"none": 0.0, "some": max(1.0, row.weight)}.get(name)
        alignment = own(row, model)
        if hasattr(alignment, "teacher"):
            alignment.confidence = 0.0
        objective: Any = SourceAlone() if weight is None else Adapting(alignment, weight=weight, label_smoothing=0.1)
        source, target = source_of(), target_of()
        of, device = model.backbone.preprocessing, torch.device("cpu")
        recipe: Recipe = adapting(18, epochs=2)
        train(
            model,
            Paired(source.batches(np.arange(18), of, size=6, device=device), target.batches(of, size=9, device=device)),
            objective=objective,
            recipe=recipe,
            seed=0,
            evaluate=lambda _: Scores(np.ones(2), 0.5),
            checkpoint=tmp_path / name,
            progress=lambda *_: None,
        )
        ends.append(state(model))
    assert same(ends[0], ends[1]) and not same(ends[0], ends[2])


@rows
def test_a_row_says_what_it_sees(row: DeepAdaptation) -> None:
    assert DEEP_ADAPTATIONS[row.name] is row and row.title != row.name and row.paper[-4:].isdigit()
    assert row.sees_source is (row.name != "shot")
    assert row.sees_target is (row.name not in ("finetuned_source", "l2sp"))
    assert (row.begins == "finetuned_source") is row.sees_target
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.name = "other"  # type: ignore[misc]


def test_a_row_that_needs_the_source_says_so(start: Transferred, tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="without the source"):
        adapt_network(
            DEEP_ADAPTATIONS["dann"],
            start,
            source=None,
            target=target_of(),
            epochs=1,
            seed=0,
            checkpoint=tmp_path / "c",
        )


def test_source_free_the_sources_images_are_not_read_even_where_they_are_given(
    start: Transferred, tmp_path: Path
) -> None:
    def refuse(_: np.ndarray) -> np.ndarray:
        raise AssertionError("an image of the source was read")

    row = DEEP_ADAPTATIONS["shot"]
    guarded = dataclasses.replace(source_of(), read=refuse)
    given = adapt_network(
        row, start, source=guarded, target=target_of(), epochs=2, seed=0, checkpoint=tmp_path / "given"
    )
    assert same(state(given.model), state(fit(row, start, tmp_path / "none").model))


def test_the_fitted_head_knows_the_source(start: Transferred) -> None:
    source = source_of()
    batches: Batches = source.batches(np.arange(18), start.backbone.preprocessing, size=18, device=torch.device("cpu"))
    with torch.no_grad():
        right = start(next(iter(batches.in_order())).x).argmax(1).numpy() == source.y
    assert right.mean() > 0.8


def test_a_run_hands_over_what_it_read_and_split(digits_folder: Path, tmp_path: Path) -> None:
    asked = Reading(data="digits", backbones=(), seed=0, size=SIZE, split=(0.6, 0.2, 0.2), device="cpu")
    prepared = read(read_labelled(digits_folder), asked, cache=tmp_path / "cache", progress=lambda *_: None)
    train_part, test_part = prepared.split.train, prepared.split.test
    source, target = SourceImages.of(prepared, train_part), TargetImages.of(prepared.survey, test_part)
    device = torch.device("cpu")
    start = head_first(load_random("test_efficientnet", size=SIZE, seed=0), source, seed=0, device=device)
    of = start.backbone.preprocessing
    batches = source.batches(np.arange(4), of, size=4, device=device)
    (batch,), (first, *_) = batches.in_order(), target.batches(of, size=4, device=device).in_order()
    assert torch.equal(batch.x, of.tensor(prepared.survey.pixels(train_part[:4])))
    assert batch.y.tolist() == prepared.y[train_part[:4]].tolist()
    assert torch.equal(first.x, of.tensor(prepared.survey.pixels(test_part[:4])))
    adapted = adapt_network(
        DEEP_ADAPTATIONS["deep_coral"],
        start,
        source=source,
        target=target,
        epochs=1,
        seed=0,
        checkpoint=tmp_path / "c",
    )
    assert adapted.model.head.out_features == prepared.k and adapted.images > len(train_part)
