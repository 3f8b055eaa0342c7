"""The laboratory: which networks there are, which images each learns from and is judged on, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from headstart.data import Duplicates, Split, Survey, merge_groups, split
from headstart.errors import DataError
from headstart.problem import Labelled
from headstart.runs.context import Context
from headstart.runs.preparing import look
from headstart.runs.study.transplanting import SHARES, Transplanting
from headstart.shallow import evenly
from headstart.strategies import TREATMENTS

WATCHED = 500
"""Images that curves are drawn on, at most."""


@dataclass(frozen=True)
class Cell:
    """One network.

    Attributes
    ----------
    kind : of the split of the classes, in a word.
    seed : of the replicate.
    target : the half that it learns, ``A`` or ``B``.
    labels : of a class that it learns with; 0 means all.
    treatment : a row of `headstart.strategies.TREATMENTS`, or ``base``.
    n, cut : layers that were kept, and the cut above the last one; 0 and ``""`` of a base.
    rate : of a base that learning rates are tried on; 0 of all others.
    """

    kind: str
    seed: int
    target: str
    labels: int = 0
    treatment: str = "base"
    n: int = 0
    cut: str = ""
    rate: float = 0.0

    @property
    def key(self) -> str:
        """Of its record."""
        if self.rate:
            return f"trial/{self.rate:g}"
        return f"cell/{self.kind}/{self.seed}/{self.target}/{self.labels}/{self.n}/{self.treatment}"

    @property
    def base(self) -> Cell:
        """The network of the same half and labels that was trained from scratch."""
        return Cell(self.kind, self.seed, self.target, self.labels)

    @property
    def source(self) -> Cell | None:
        """The base whose first layers it keeps: with all labels where it is that of the other half."""
        lower = TREATMENTS[self.treatment].lower if self.n else "random"
        if lower == "other":
            return Cell(self.kind, self.seed, "A" if self.target == "B" else "B")
        return self.base if lower == "own" else None


@dataclass(frozen=True, eq=False)
class Sides:
    """Images of one half: to train on, to watch, to judge on.

    Attributes
    ----------
    number : by class of the data, its number in this half, −1 where it is in the other.
    """

    train: np.ndarray
    watched: np.ndarray
    judged: np.ndarray
    number: np.ndarray

    @property
    def k(self) -> int:
        """Classes of the half."""
        return int((self.number >= 0).sum())


@dataclass(frozen=True, eq=False)
class Laboratory:
    """The images, read, and where networks are kept.

    Attributes
    ----------
    folder : of the study.
    """

    folder: Path
    options: Transplanting
    labelled: Labelled
    survey: Survey
    duplicates: Duplicates
    device: torch.device

    @classmethod
    def opened(cls, context: Context, labelled: Labelled) -> Laboratory:
        """Every image read."""
        options = context.options
        assert isinstance(options, Transplanting)
        looked, duplicates, _ = look(labelled.x, options, cache=context.cache, progress=context.progress)
        return cls(context.folder, options, labelled, looked, duplicates, context.device)

    @property
    def fingerprint(self) -> str:
        """Of all images and labels."""
        return self.survey.fingerprint(self.labelled.y)

    def parts(self, seed: int) -> Split:
        """The images of one replicate, on their sides; those that the learning rate is chosen by are the same for all.

        Groups that the user gave stay together; of copies across them those to train on are set aside. Put together as
        well, simple shapes would chain all groups to one.

        Raises
        ------
        DataError : too few images in a class, or too few groups.
        """
        y, groups, broken = self.labelled.y, self.labelled.x.groups, dict(self.survey.broken)
        halved = partial(split, y, fractions=SHARES, classes=self.labelled.task.classes)
        own = self.duplicates.groups if groups is None else merge_groups(np.arange(len(y)), groups)
        held = halved(own, seed=self.options.seed, given=self.labelled.parts, broken=[*broken.items()])
        # A test part that the user gave is that of every seed.
        tested = ["test" if part == "test" else None for part in self.labelled.parts or (None,) * len(y)]
        sides = _sides(held, tested, names=("val",))
        broken |= held.reasons
        drawn = halved(own, seed=seed, given=sides, broken=[*broken.items()])
        broken |= drawn.reasons
        sides = _sides(drawn, ["train"] * len(y), names=("val", "test"))
        if not {"val", "test"} <= set(sides):
            fact = f"{len(np.unique(own))} groups of images are too few for a part to train on and two others."
            raise DataError(fact, "Give more groups, or leave the column group out.")
        return halved(self.duplicates.groups, seed=seed, given=sides, broken=[*broken.items()])

    def sides(self, parts: Split, classes: Sequence[int], *, labels: int, seed: int) -> Sides:
        """Those of a half; with few labels, as many of each class, the fewer among the more.

        Raises
        ------
        DataError : none of its images are left to judge on, or to choose by.
        """
        y = self.labelled.y
        number = np.full(len(self.labelled.task.classes), -1)
        number[list(classes)] = np.arange(len(classes))
        train, val, judged = (part[number[y[part]] >= 0] for part in (parts.train, parts.val, parts.test))
        if not len(val) or not len(judged):
            names = ", ".join(self.labelled.task.classes[k] for k in classes[:5])
            more = ", …" if len(classes) > 5 else ""
            fact = f"Of the half {names}{more} no image is left to judge on, or to choose by."
            raise DataError(fact, "Give its classes more images, or test and validation images of their own.")
        if labels:
            order = np.random.default_rng(seed).permutation(train)
            train = np.sort(np.concatenate([order[y[order] == k][:labels] for k in classes]))
        return Sides(train, evenly(val, y, WATCHED), judged, number)

    def kept(self, cell: Cell) -> Path:
        """Where a network is kept."""
        return self.folder / "work" / f"{cell.key.replace('/', '-')}.safetensors"


def _sides(parts: Split, others: Sequence[str | None], *, names: Sequence[str]) -> tuple[str | None, ...]:
    """For each image the part that it stands on, where that is one of `names`; `others` say it of the rest."""
    found = np.array(others, dtype=object)
    for name in names:
        found[getattr(parts, name)] = name
    return tuple(found.tolist())
