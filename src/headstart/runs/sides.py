"""Source and target as rows of one table, and the draws of rows that each question is asked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data import folds
from headstart.evidence.two_sample import Layout, permutations

FOLDS = 5

MOST = 1000
"""Rows of each domain that a test reads: its interval is then two or three points wide, and all pairs still fit."""


@dataclass(frozen=True, eq=False)
class Sides:
    """Rows of both domains.

    Attributes
    ----------
    z : features by cut, ``(n, d)``, from the image to the top.
    domain : 0 source, 1 target, ``(n,)``.
    y : class numbers in `classes`, −1 where there is no label, ``(n,)``.
    groups : what stays on one side of a split, across the domains, too, ``(n,)``.
    classes : of the source, then those of the target alone.
    place : which image of both domains together a row is, ``(n,)``.
    """

    z: Mapping[str, np.ndarray]
    domain: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    place: np.ndarray

    @property
    def top(self) -> np.ndarray:
        """Features at the last cut."""
        return list(self.z.values())[-1]

    def labelled(self, side: int) -> bool:
        """Whether that domain has labels."""
        return bool((self.y[self.domain == side] >= 0).any())

    def at(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Features of some rows at every cut."""
        return {cut: z[rows] for cut, z in self.z.items()}

    def subset(self, rows: np.ndarray) -> Sides:
        """The same of some rows."""
        parts = self.domain[rows], self.y[rows], self.groups[rows]
        return Sides(self.at(rows), *parts, self.classes, self.place[rows])

    def layout(self, rows: np.ndarray, *, count: int, seed: int) -> Layout:
        """Folds and permutations for some rows."""
        domain, groups = self.domain[rows], self.groups[rows]
        fold = np.zeros(len(rows), dtype=np.int64)
        for number, (_, held) in enumerate(folds(domain, groups, min(FOLDS, len(np.unique(groups))), seed=seed)):
            fold[held] = number
        return Layout(domain, groups, fold, permutations(domain, groups, fold, count=count, seed=seed))

    def counts(self, side: int) -> np.ndarray:
        """Rows of every class in one domain, ``(k,)``."""
        known = (self.domain == side) & (self.y >= 0)
        return np.bincount(self.y[known], minlength=len(self.classes))


def equal_rows(sides: Sides, *, most: int = MOST, seed: int = 0) -> np.ndarray:
    """As many rows of the source as of the target, at random, images of one group one after the other."""
    order = _shuffled(sides, seed)
    parts = [order[sides.domain[order] == side] for side in (0, 1)]
    m = min(most, *map(len, parts))
    return np.sort(np.concatenate([part[:m] for part in parts]))


def matched_rows(sides: Sides, classes: Sequence[int], *, most: int = MOST, seed: int = 0) -> np.ndarray:
    """As many rows of each of these classes from the source as from the target."""
    wanted = np.minimum(sides.counts(0), sides.counts(1))[list(classes)]
    if wanted.sum() > most:
        wanted = np.maximum(1, wanted * most // wanted.sum())
    return _of_classes(sides, {side: dict(zip(classes, wanted.tolist(), strict=True)) for side in (0, 1)}, seed)


def reweighted_rows(sides: Sides, prior: Sequence[float], *, most: int = MOST, seed: int = 0) -> np.ndarray:
    """A source whose classes are as frequent as `prior` says, and as many rows of the target.

    Of a class that the source has too few of, rows are repeated: copies are of one group, which no fold divides and
    every resample draws as one.
    """
    order = _shuffled(sides, seed)
    target = order[sides.domain[order] == 1][:most]
    taken = []
    for k, share in enumerate(prior):
        own = order[(sides.domain[order] == 0) & (sides.y[order] == k)]
        if len(own):
            taken.append(np.resize(own, round(len(target) * share)))
    source = np.concatenate(taken)
    return np.sort(np.concatenate([source, target]))


def _of_classes(sides: Sides, wanted: Mapping[int, Mapping[int, int]], seed: int) -> np.ndarray:
    order = _shuffled(sides, seed)
    taken = [
        order[(sides.domain[order] == side) & (sides.y[order] == k)][:count]
        for side, each in wanted.items()
        for k, count in each.items()
    ]
    return np.sort(np.concatenate([order[:0], *taken]))


def _shuffled(sides: Sides, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    names, member = np.unique(sides.groups, return_inverse=True)
    return np.lexsort((rng.permutation(len(member)), rng.permutation(len(names))[member]))
