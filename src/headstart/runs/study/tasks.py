"""Two tasks out of one: the classes of the laboratory in halves, and how far apart these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from headstart.backbones import load
from headstart.data import Split
from headstart.errors import OptionError
from headstart.evidence.halving import apartness, distant_halves
from headstart.problem.halves import Halves, halves_by_name, random_halves, read_halves
from headstart.records import Record
from headstart.runs.context import Prepared
from headstart.runs.online import pooled
from headstart.runs.study.laboratory import Cell, Laboratory, Sides
from headstart.runs.study.transplanting import KINDS
from headstart.shallow import evenly

MOST_REFERENCED = 4000
"""Images whose features say which classes are alike, at most."""


class Tasks:
    """What every cell learns from: the halves of every kind and seed, and which images stand on which side."""

    def __init__(self, lab: Laboratory, halves: Mapping[tuple[str, int], Halves]) -> None:
        self.lab, self._halves = lab, halves
        self._parts: dict[int, Split] = {}
        self._sides: dict[Cell, Sides] = {}

    def sides(self, cell: Cell) -> Sides:
        """The images of a cell: those of its base."""
        base = cell.base
        if base not in self._sides:
            classes = self._halves[cell.kind, cell.seed].of(cell.target)
            self._sides[base] = self.lab.sides(self._of(cell.seed), classes, labels=cell.labels, seed=cell.seed)
        return self._sides[base]

    def prepared(self, seed: int) -> Prepared:
        """The data as a record of them is made from."""
        lab = self.lab
        groups = lab.duplicates.groups
        return Prepared(lab.labelled, lab.survey, lab.duplicates, groups, self._of(seed), lab.fingerprint)

    def _of(self, seed: int) -> Split:
        if seed not in self._parts:
            self._parts[seed] = self.lab.parts(seed)
        return self._parts[seed]


def word_of(split: str) -> str:
    """The kind of a split in a word: of a table, its name without the ending."""
    return split if split in KINDS else Path(split).stem


def class_means(lab: Laboratory, *, progress: Callable[[str, int, int], None]) -> np.ndarray:
    """Mean features of each class at the top of the reference, each feature with variance 1, (k, d)."""
    backbone = load(lab.options.reference, size=lab.options.size).to(lab.device)
    y = lab.labelled.y
    usable = np.array([bool(key) for key in lab.survey.ids])
    rows = evenly(np.flatnonzero(usable), y, MOST_REFERENCED)
    progress("which classes are alike", 0, 1)
    z = pooled(backbone, lab.survey.pixels, rows, ("top",))["top"].astype("f8")
    z /= z.std(0) + 1e-6
    progress("which classes are alike", 1, 1)
    return np.stack([z[y[rows] == k].mean(0) for k in range(len(lab.labelled.task.classes))])


def halved(lab: Laboratory, split: str, *, seed: int, means: Callable[[], np.ndarray]) -> Halves:
    """The halves of a split: only random ones depend on the seed.

    Parameters
    ----------
    means : gives the mean features of each class, (k, d); asked where halves go by them.

    Raises
    ------
    OptionError : the table of halves is missing.
    DataError : it is none, or a half has fewer than two classes.
    """
    classes = lab.labelled.task.classes
    if split == "random":
        return random_halves(len(classes), seed=seed)
    if split == "names":
        return halves_by_name(classes)
    if split in KINDS:
        a, b = distant_halves(means(), similar=split == "similar")
        return Halves(tuple(a), tuple(b))
    return read_halves(Path(split).expanduser(), classes)


def halves_record(lab: Laboratory, kind: str, halves: Halves, *, seed: int, means: np.ndarray) -> Record:
    """Which classes stand in which half, and how far apart the halves are; the record ``halves/<kind>/<seed>``."""
    names = lab.labelled.task.classes
    detail = {letter: [names[number] for number in halves.of(letter)] for letter in "AB"}
    distance = apartness(means, halves.a, halves.b)
    return Record(
        f"halves/{kind}/{seed}", "halves", seed=seed, strategy=kind, metrics={"distance": distance}, detail=detail
    )


def refuse_alike(splits: tuple[str, ...]) -> None:
    """Two kinds that go by the same word could not be told apart.

    Raises
    ------
    OptionError : there are two, or a table has the name of a kind.
    """
    words = [word_of(split) for split in splits]
    for split, word in zip(splits, words, strict=True):
        if word in KINDS and split not in KINDS:
            raise OptionError(f"The table {split} has the name of a kind of halves.", "Give it another name.")
    for word in words:
        if words.count(word) > 1:
            raise OptionError(f"Two splits are called {word}.", "Give the table of halves another name.")
