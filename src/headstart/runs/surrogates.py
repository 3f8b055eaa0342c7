"""A row of the table of surrogate tasks, put to work: its batches, and the objective that is lowered on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from headstart.backbones import Preprocessing
from headstart.data.batches import Augmentation
from headstart.data.motions import AXES, SIZES, BuiltMotions
from headstart.data.patches import Patches, choose_seeds
from headstart.data.related import Make, Related, RelatedBatches, Views, Windows
from headstart.errors import DataError
from headstart.objectives.surrogate import (
    EgoMotion,
    Equivariance,
    PseudoClasses,
    Rotation,
    Slow,
    SlowMargin,
    Steady,
    Surrogate,
    TwoViews,
)
from headstart.problem import Motions
from headstart.runs.material import Material
from headstart.runs.options import Pretraining
from headstart.strategies import SurrogateTask
from headstart.training import surrogate

CANVAS = 2
"""Sides of a patch in that of the image that it is cut from."""
HELD, MOST_HELD = 0.1, 512
"""Share of the sets that what is learned is judged on, and their number at most."""
BINS = 7
"""Of each axis of a motion that was measured."""
STRONG = Augmentation(shift=0.2, scale=(0.9, 2.0), rotation=15.0, contrast=0.5, brightness=0.5)
MILD = Augmentation(shift=0.1, scale=(0.85, 1.2), rotation=0.0, contrast=0.2, brightness=0.2)

Start = Callable[[int, int], Surrogate]
"""(width of the features, epochs) → the objective with its first weights."""


@dataclass(frozen=True, eq=False)
class Posed:
    """A surrogate task on some images.

    Attributes
    ----------
    feed, held : sets to learn from, and others to judge on; of pseudo-classes the same, in views of their own.
    start : makes the objective.
    augmentation : of the sets.
    told : how many sets, classes, bins: for records.
    """

    feed: RelatedBatches
    held: RelatedBatches
    start: Start
    augmentation: Augmentation | None = None
    told: dict[str, Any] = field(default_factory=dict)


def pose(
    row: SurrogateTask, material: Material, preprocessing: Preprocessing, options: Pretraining, *, device: torch.device
) -> Posed:
    """The surrogate task of `row` on these images; batches go to `device`.

    Raises
    ------
    DataError : they do not give what it needs: frames in a row, a camera that moves.
    """
    if row.name == "exemplar":
        posed = _exemplar(material, preprocessing, options)
    elif material.frames is not None and row.needs in ("frames", "motion"):
        posed = _of_frames(row, material, preprocessing, options)
    else:
        posed = _of_images(row, material, preprocessing, options)
    feed, held = (replace(one, device=device) for one in (posed.feed, posed.held))
    return replace(posed, feed=feed, held=held)


def side_of(row: SurrogateTask, size: int) -> int:
    """Side of the squares that images are read as: patches are cut out of larger ones."""
    return CANVAS * size if row.name == "exemplar" else size


def _posed(makes: Sequence[Make], counts: Sequence[int], start: Start, **more: Any) -> Posed:
    size = surrogate(counts[0], epochs=1).batch_size
    feed, held = (RelatedBatches(make, count, size) for make, count in zip(makes, counts, strict=True))
    told = {"sets": counts[0], "held": counts[1], **more.pop("told", {})}
    return Posed(feed, held, start, told=told, **more)


def _of_images(row: SurrogateTask, material: Material, of: Preprocessing, options: Pretraining) -> Posed:
    """Views of single images; a tenth of them is judged on."""
    indices, seed = np.flatnonzero(material.usable), options.seed
    order = np.random.default_rng(seed).permutation(len(indices))
    held = min(MOST_HELD, max(2, round(HELD * len(indices))))
    parts = [indices[np.sort(order[held:])], indices[np.sort(order[:held])]]
    counts, read = [len(part) for part in parts], material.looked.pixels
    keys = [[material.looked.ids[i] for i in part] for part in parts]
    if row.needs == "motion":
        motions = [BuiltMotions(read, of.normalised, *both) for both in zip(parts, keys, strict=True)]
        told: dict[str, Any] = {"axes": list(AXES), "bins": list(SIZES)}
        return _posed(motions, counts, _moving(row, SIZES, seed), told=told)
    classes = [None if material.y is None else material.y[part] for part in parts]
    views = [
        Views(read, of.tensor, part, names, row.frames, y) for part, names, y in zip(parts, keys, classes, strict=True)
    ]
    if row.needs == "labels":
        k = len(material.classes)
        return _posed(
            views,
            counts,
            lambda width, _: PseudoClasses(width, k, seed=seed),
            augmentation=Augmentation(),
            told={"classes": k},
        )
    if row.name == "rotation":
        return _posed(views, counts, lambda width, _: Rotation(width, seed=seed), augmentation=MILD)
    return _posed(views, counts, lambda width, _: TwoViews(width, row.name, seed=seed), augmentation=STRONG)


def _exemplar(material: Material, of: Preprocessing, options: Pretraining) -> Posed:
    """Pseudo-classes; some of their seeds are judged on, transformed as no epoch transforms them."""
    indices, seed = np.flatnonzero(material.usable), options.seed
    count = options.classes or len(indices)
    if options.clusters > count:
        raise DataError(f"{count} pseudo-classes give no {options.clusters} clusters.", "Choose fewer clusters.")
    read = material.looked.pixels
    numbers, centres = choose_seeds(read, indices, count=count, size=of.size, seed=seed)
    keys = [f"{material.looked.ids[indices[one]]}/{place}" for place, one in enumerate(numbers)]
    every = Patches(read, of.normalised, indices[numbers], keys, centres, of.size)
    judged = np.random.default_rng(seed).permutation(count)[:MOST_HELD]

    def some(part: np.ndarray, view: int, seed: int, augmentation: Augmentation | None) -> Related:
        return every(judged[part], view, seed, augmentation)

    return _posed(
        [every, some],
        [count, len(judged)],
        lambda width, epochs: PseudoClasses(width, count, clusters=options.clusters, epochs=epochs, seed=seed),
        augmentation=Augmentation(),
        told={"classes": count, "clusters": options.clusters},
    )


def _of_frames(row: SurrogateTask, material: Material, of: Preprocessing, options: Pretraining) -> Posed:
    """Windows of frames; the last tenth of every sequence is judged on, so that no frame stands on both sides."""
    frames = material.frames
    assert frames is not None
    late = np.zeros(len(frames), dtype=bool)
    fewest = row.frames + (len(frames.names) == 1)  # a sequence that is alone has to give two sets
    for number in range(len(frames.names)):
        own = np.flatnonzero((frames.sequence == number) & material.usable)
        late[own[max(0, len(own) - max(fewest, round(HELD * len(own)))) :]] = True
    windows = [frames.windows(row.frames, usable=material.usable & side) for side in (~late, late)]
    if min(len(one) for one in windows) < 2:
        fact = f"There are {len(windows[0])} sets of {row.frames} frames in a row to learn from, and {len(windows[1])}"
        raise DataError(f"{fact} to judge on.", "Give longer sequences, or frames without gaps.")
    windows[1] = windows[1][:: -(-len(windows[1]) // MOST_HELD)]
    y, start, told = (_in_time if row.needs == "frames" else _measured)(row, material, windows, options)
    sides = [Windows(material.looked.pixels, of.tensor, *both) for both in zip(windows, y, strict=True)]
    counts, told = [len(one) for one in windows], {"sequences": len(frames.names), **told}
    return _posed(sides, counts, start, augmentation=MILD if row.needs == "frames" else None, told=told)


Known = tuple[list[np.ndarray], Start, dict[str, Any]]


def _in_time(row: SurrogateTask, material: Material, windows: list[np.ndarray], options: Pretraining) -> Known:
    """Where in which sequence every set begins."""
    frames, apart = material.frames, options.apart
    assert frames is not None
    y = [np.stack([frames.sequence[one[:, 0]], frames.time[one[:, 0]]], 1).astype(np.int64) for one in windows]
    if len(np.unique(y[0][:, 0])) == 1 and np.ptp(y[0][:, 1]) < apart:
        fact = f"No two frames are {apart} or more apart, so that none is distant."
        raise DataError(fact, "Give a longer sequence, or a smaller --apart.")
    kind = {"slow": Slow, "slow_margin": SlowMargin, "steady": Steady}[row.name]
    return y, lambda width, epochs: kind(apart=apart), {"apart": apart}


def _measured(row: SurrogateTask, material: Material, windows: list[np.ndarray], options: Pretraining) -> Known:
    """By how much the camera moved in every set."""
    assert material.poses is not None
    found = [material.poses.between(one) for one in windows]
    names, sizes, y = _binned(found)
    still = [name for name in found[0].axes if name not in names]
    told = {"axes": list(names), "bins": list(sizes), "still": still}
    return y, _moving(row, sizes, options.seed, learned=y[0]), told


def _binned(found: list[Motions]) -> tuple[tuple[str, ...], tuple[int, ...], list[np.ndarray]]:
    """Axes that vary, how many bins each has, and the bins of all pairs; edges come from what is learned from."""
    learned = found[0]
    if learned.actions:
        if len(np.unique(learned.values)) < 2:
            raise DataError(f"The only action is {learned.actions[0]}.", "Give two actions or more.")
        return learned.axes, (len(learned.actions),), [one.values.astype(np.int64) for one in found]
    edges = [_edges(column) for column in learned.values.T]
    varies = [a for a, own in enumerate(edges) if len(own)]
    if not varies:
        raise DataError("The camera does not move between frames.", "Give poses that change.")
    y = [np.stack([np.searchsorted(edges[a], one.values[:, a]) for a in varies], 1).astype(np.int64) for one in found]
    return tuple(learned.axes[a] for a in varies), tuple(len(edges[a]) + 1 for a in varies), y


def _edges(column: np.ndarray) -> np.ndarray:
    """Where the bins of one axis meet; none if all values are alike.

    Few values have a bin each; of many, each bin takes as many *different* ones, so that standing still, however often
    it is done, is one of them. Edges lie between values, where no rounding can take one across.
    """
    values = np.unique(np.round(column, 6))
    if len(values) > BINS:
        inner = np.linspace(0, len(values), BINS + 1).round().astype(int)[1:-1]
        cut: np.ndarray = (values[inner - 1] + values[inner]) / 2
        return cut
    edges: np.ndarray = (values[1:] + values[:-1]) / 2
    return edges


def _moving(row: SurrogateTask, bins: Sequence[int], seed: int, *, learned: np.ndarray | None = None) -> Start:
    """Whether bins are equally frequent or not, what is right by chance is what the commonest answer gets."""
    kinds: dict[str, Callable[..., Surrogate]] = {"egomotion": EgoMotion, "equivariance": Equivariance}
    y = None if learned is None else torch.from_numpy(learned)
    return lambda width, epochs: kinds[row.name](width, bins, seed=seed, learned=y)
