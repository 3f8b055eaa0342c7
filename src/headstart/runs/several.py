"""One domain with several tasks, read and split once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from headstart.advice.costs import STOP_SHARE
from headstart.backbones import Preprocessing
from headstart.data import inner_split, split
from headstart.data.batches import Batches
from headstart.data.splits import FEWEST
from headstart.errors import DataError
from headstart.problem import UNLABELLED, Labelled, Task, Tasks
from headstart.records import Record
from headstart.runs.context import Context, Prepared
from headstart.runs.options import Reading
from headstart.runs.preparing import LISTED, data_record, look

PARTS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Several:
    """Images with the labels of m tasks.

    Attributes
    ----------
    prepared : the images; what counts as their class is the combination of all their labels.
    tasks : names, label spaces, and y (n, m).
    fit, stop : of the training part, what every training fits to, and what it stops on.
    """

    prepared: Prepared
    tasks: Tasks
    fit: np.ndarray
    stop: np.ndarray

    @property
    def sizes(self) -> list[int]:
        """Classes of each task."""
        return [len(space.classes) for space in self.tasks.spaces]

    def alone(self, t: int) -> Prepared:
        """The same images with task `t` as the only one; y is negative where there is no label of it."""
        labelled = self.prepared.labelled
        return replace(self.prepared, labelled=replace(labelled, y=self.tasks.y[:, t], task=self.tasks.spaces[t]))

    def labels(self, indices: np.ndarray, tasks: Sequence[int]) -> np.ndarray:
        """Of these images and tasks, ``(n, m)``, negative where there is no label."""
        found: np.ndarray = self.tasks.y[indices][:, list(tasks)]
        return found

    def having(self, indices: np.ndarray, tasks: Sequence[int]) -> np.ndarray:
        """Those of the images that have a label of one of the tasks."""
        kept: np.ndarray = indices[(self.labels(indices, tasks) != UNLABELLED).any(axis=1)]
        return kept

    def batches(
        self, indices: np.ndarray, tasks: Sequence[int], of: Preprocessing, *, size: int, device: Any
    ) -> Batches:
        """Images with their labels of these tasks, ``(n, m)``, prepared for a network."""
        looked = self.prepared.survey
        y = self.labels(indices, tasks)
        return Batches(
            looked.pixels, partial(of.tensor, device=device), indices, y, size, [looked.ids[i] for i in indices]
        )


def read_several(context: Context, tasks: Tasks) -> tuple[Several, Record]:
    """Read every image, look for duplicates, split once for all tasks; the record ``data``, not yet written.

    Parts are drawn evenly over `strata`, the combinations of labels.

    Raises
    ------
    DataError : too few labels of a class, or a part without a label of a task.
    """
    started, asked = time.perf_counter(), context.options
    looked, duplicates, groups = look(tasks.x, asked, cache=context.cache, progress=context.progress)
    usable = np.array([bool(key) for key in looked.ids])
    _refuse_rare(asked.data, tasks, usable)
    combinations, y = np.unique(tasks.y, axis=0, return_inverse=True)
    names = tuple(_said(tasks, one) for one in combinations)
    open_ = usable & np.array([part not in ("val", "test") for part in tasks.parts or [None] * len(tasks)])
    level = np.zeros(len(tasks), np.int64)
    level[open_] = strata(tasks.y[open_])
    parts = split(
        level,
        groups,
        seed=asked.seed,
        fractions=asked.split,
        given=tasks.parts,
        broken=looked.broken,
        classes=[names[y[np.flatnonzero(level == k)[0]]] for k in range(int(level.max()) + 1)],
    )
    labelled = Labelled(tasks.x, y.astype(np.int64), Task(names), tasks.parts, "table", tasks.notes)
    prepared = Prepared(labelled, looked, duplicates, groups, parts, looked.fingerprint(tasks.y))
    fit, stop = inner_split(level[parts.train], groups[parts.train], STOP_SHARE, seed=asked.seed)
    fit, stop = with_every_class(tasks.y[parts.train], groups[parts.train], fit, stop)
    found = Several(prepared, tasks, parts.train[fit], parts.train[stop])
    _refuse_bare(asked.data, found)
    return found, _record(found, asked, seconds=time.perf_counter() - started)


def strata(y: np.ndarray) -> np.ndarray:
    """What to draw the parts evenly over: numbers ``(n,)`` from 0 on, each of three images at least.

    Images with the same labels of all m tasks are one stratum. Combinations of fewer than three images are taken
    apart: each image of them counts by the rarest of its labels. What is still fewer than three goes together.

    Parameters
    ----------
    y : ``(n, m)``, negative where there is no label.

    Examples
    --------
    >>> strata(np.array([[0, 0], [0, 0], [0, 0], [1, 0], [1, 1], [1, 2], [1, -1]])).tolist()
    [0, 0, 0, 1, 1, 1, 1]
    """
    _, combination, counts = np.unique(y, axis=0, return_inverse=True, return_counts=True)
    often = np.stack([np.bincount(own + 1)[own + 1] for own in y.T], axis=1)
    rarest = np.where(y < 0, len(y) + 1, often).argmin(axis=1)
    keys = np.stack([rarest, y[np.arange(len(y)), rarest]], axis=1)
    common = counts[combination] >= FEWEST
    keys[common] = np.stack([np.full(len(y), -1), combination], axis=1)[common]
    _, found, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    few = sizes[found] < FEWEST
    if few.any():
        found[few] = len(sizes) if few.sum() >= FEWEST else int(sizes.argmax())
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def with_every_class(
    y: np.ndarray, groups: np.ndarray, fit: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions to fit to and to stop on; groups with a class that no image to fit to has go to these.

    Parts are drawn over combinations, and one of few images may take the only images of a class along.

    Examples
    --------
    >>> y, groups = np.array([[0], [0], [0], [1]]), np.arange(4)
    >>> [part.tolist() for part in with_every_class(y, groups, np.array([0, 1]), np.array([2, 3]))]
    [[0, 1, 3], [2]]
    """
    for own in y.T:
        for k in np.setdiff1d(own[stop], [*own[fit], UNLABELLED]):
            moved = np.isin(groups[stop], groups[stop][own[stop] == k])
            fit, stop = np.sort(np.concatenate([fit, stop[moved]])), stop[~moved]
    return fit, stop


def _refuse_rare(table: str, tasks: Tasks, usable: np.ndarray) -> None:
    for t, name in enumerate(tasks.names):
        own = tasks.y[usable & (tasks.y[:, t] != UNLABELLED), t]
        classes = tasks.spaces[t].classes
        counts = np.bincount(own, minlength=len(classes))
        rare = [f"{label} ({count})" for label, count in zip(classes, counts, strict=True) if count < FEWEST]
        if rare:
            fact = f"The column {name} of {table} has fewer than {FEWEST} usable images in {', '.join(rare[:10])}."
            raise DataError(fact, "Label more images of these classes, or empty these cells.")


def _refuse_bare(table: str, found: Several) -> None:
    """Every part needs a label of every task, and the training part one of every class."""
    parts = found.prepared.split
    places = {"training": found.fit, "inner validation": found.stop, "validation": parts.val, "test": parts.test}
    for t, name in enumerate(found.tasks.names):
        for part, indices in places.items():
            if len(indices) and not len(found.having(indices, [t])):
                fact = f"The column {name} of {table} has too few labels: the {part} part holds none of them."
                raise DataError(fact, "Label more images of this task, or leave this --label out.")
        absent = sorted(set(range(found.sizes[t])) - set(found.tasks.y[parts.train, t].tolist()))
        if absent:
            classes = ", ".join(found.tasks.spaces[t].classes[k] for k in absent[:5])
            fact = f"The column {name} of {table} leaves no image to train on in {classes}."
            raise DataError(fact, "Label more images of these classes, or draw other parts with --seed.")


def _said(tasks: Tasks, combination: np.ndarray) -> str:
    """A combination of labels in words."""
    named = zip(tasks.names, tasks.spaces, combination.tolist(), strict=True)
    return ", ".join(f"{name} {space.classes[k] if k >= 0 else 'unknown'}" for name, space, k in named)


def _record(found: Several, asked: Reading, *, seconds: float) -> Record:
    """As of a `fit`, counted by the classes of each task; copies contradict each other where both have a label."""
    record = data_record(found.prepared, seconds=seconds, seed=asked.seed, backbones=asked.backbones)
    tasks, parts = found.tasks, found.prepared.split
    y, label_of = tasks.y, tasks.x.label_of
    named = [(t, k, f"{name}: {label}") for t, name in enumerate(tasks.names) for k, label in _numbered(tasks, t)]
    conflicts = [
        {"paths": [label_of(i) for i in group], "classes": [f"{name}: {tasks.spaces[t].classes[k]}" for k in kinds]}
        for group in found.prepared.duplicates.conflicts(found.prepared.y)
        for t, name in enumerate(tasks.names)
        if len(kinds := sorted(set(y[list(group), t].tolist()) - {UNLABELLED})) > 1
    ]
    notes = [
        f"{missing:,} of {len(tasks):,} images have no label of {name}."
        for t, name in enumerate(tasks.names)
        if (missing := int((y[:, t] == UNLABELLED).sum()))
    ]
    detail = record.detail | {
        "classes": [name for _, _, name in named],
        "counts": {n: {p: int((y[getattr(parts, p), t] == k).sum()) for p in PARTS} for t, k, n in named},
        "conflicts": conflicts[:LISTED],
        "tasks": [
            {"name": name, "classes": found.sizes[t], **{p: len(found.having(getattr(parts, p), [t])) for p in PARTS}}
            for t, name in enumerate(tasks.names)
        ],
        "notes": [*tasks.notes, *notes],
    }
    metrics = {name: value for name, value in record.metrics.items() if name != "classes"}
    return replace(record, metrics=metrics, detail=detail)


def _numbered(tasks: Tasks, t: int) -> list[tuple[int, str]]:
    return list(enumerate(tasks.spaces[t].classes))
