"""The words of transfer learning as types: a domain, a task, and the two put together.

After Pan & Yang (2010), "A Survey on Transfer Learning": a *domain* is a feature space with a
distribution P(X), of which we hold a sample; a *task* is a label space with P(Y|X), of which we
hold labels. Labels that must not be used are absent from the type: `Unlabelled` has no `y`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Domain:
    """A sample of P(X): n images, as files or as an array. Nothing is opened here.

    Attributes
    ----------
    name : what a page calls it, e.g. the folder's name.
    images : n paths, or uint8 (n, h, w) or (n, h, w, c) with c in 1, 3, 4; or features (n, d), which
        no network reads.
    groups : per image the name of what it shares with others (a patient, a film), or None.
    root : the folder that `label_of` leaves out of paths.
    """

    name: str
    images: tuple[Path, ...] | np.ndarray
    groups: tuple[str | None, ...] | None = None
    root: Path | None = None

    def __len__(self) -> int:
        return len(self.images)

    def label_of(self, i: int) -> str:
        """What a message or a page calls image `i`: its path below `root`, or ``"image 3"``."""
        if isinstance(self.images, np.ndarray):
            return f"image {i}"
        path = self.images[i]
        if self.root is not None and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        return printable(path)

    def subset(self, indices: Sequence[int] | np.ndarray) -> Domain:
        """The images at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        images = self.images[chosen] if isinstance(self.images, np.ndarray) else _take(self.images, chosen)
        return replace(self, images=images, groups=self.groups and _take(self.groups, chosen))


@dataclass(frozen=True)
class Task:
    """A label space: class k is called ``classes[k]``."""

    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Labelled:
    """A domain with its labels.

    Attributes
    ----------
    x : n images.
    y : int64 (n,), indices into ``task.classes``.
    task : the label space.
    parts : per image ``"train"``, ``"val"`` or ``"test"`` where the user said so, else None.
    layout : ``"folders"``, ``"split folders"``, ``"table"`` or ``"arrays"``.
    notes : sentences on what was found beside the images and left out.
    """

    x: Domain
    y: np.ndarray
    task: Task
    parts: tuple[str | None, ...] | None = None
    layout: str = "arrays"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def root(self) -> Path | None:
        """The folder that the images were found in."""
        return self.x.root

    def subset(self, indices: Sequence[int] | np.ndarray) -> Labelled:
        """The images and labels at `indices`, in that order; the label space stays whole."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(self, x=self.x.subset(chosen), y=self.y[chosen], parts=self.parts and _take(self.parts, chosen))


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """A domain whose labels are not there to be used."""

    x: Domain

    def __len__(self) -> int:
        return len(self.x)


def printable(path: Path | str) -> str:
    """The path as text that any file can hold: bytes that are no UTF-8 become the replacement sign."""
    return os.fsencode(path).decode("utf-8", "replace")


def _take(values: tuple[_T, ...], indices: np.ndarray) -> tuple[_T, ...]:
    return tuple(values[i] for i in indices)
