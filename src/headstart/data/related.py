"""Batches of images that belong together: views of one image, neighbouring frames, the two ends of a motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headstart.data.batches import Augmentation, Prepare, Read, batches_of, draw, shuffle, view_of


@dataclass(frozen=True)
class Related:
    """n sets of w images each, x (n, w, 3, h, w) normalised, and what is known of each set, y (n, m) int64."""

    x: Tensor
    y: Tensor


Make = Callable[[np.ndarray, int, int, Augmentation | None], Related]
"""(numbers of sets, view, seed, augmentation) → these sets in that view: a function of its arguments alone."""


@dataclass(frozen=True)
class RelatedBatches:
    """Sets of related images, some at a time: a `Feed` for surrogate tasks.

    Parameters
    ----------
    make : the sets with some numbers, in one view.
    count : how many sets there are.
    size : sets in a batch.
    device : where the batches go; by default they stay where they were made.
    each : sets that an epoch draws, where it is not all of them.
    """

    make: Make
    count: int
    size: int
    device: torch.device | None = None
    each: int | None = None

    @property
    def drawn(self) -> int:
        """Sets in an epoch."""
        return self.count if self.each is None else min(self.each, self.count)

    def __len__(self) -> int:
        """Batches in an epoch: a last batch of one set is merged into its neighbour."""
        return batches_of(self.drawn, self.size)

    def shuffled(
        self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0
    ) -> Iterator[Related]:
        """All sets once, or as many as an epoch draws, in the order of this epoch and in its view."""
        order = np.concatenate(shuffle(self.count, self.size, epoch, seed=seed))[: self.drawn]
        for numbers in np.array_split(order, len(self)):
            yield self._there(self.make(numbers, view_of(epoch, views), seed, augmentation))

    def held(self, *, seed: int, augmentation: Augmentation | None) -> Iterator[Related]:
        """All sets once, in an order and a view that no epoch has: what is learned is judged on them."""
        order = np.random.default_rng(seed).permutation(self.count)
        for numbers in np.array_split(order, batches_of(self.count, self.size)):
            yield self._there(self.make(numbers, HELD_VIEW, seed, augmentation))

    def _there(self, made: Related) -> Related:
        return made if self.device is None else Related(made.x.to(self.device), made.y.to(self.device))


HELD_VIEW = -1


@dataclass(frozen=True)
class Views:
    """So many views of every image, drawn apart from one another; with classes, these are y.

    Parameters
    ----------
    read : positions → uint8 (n, size, size, 3).
    prepare : uint8 pixels → normalised float tensor.
    indices : positions of the images (n,); `keys` are their names.
    views : of each image in a set.
    y : classes (n,), if they are to be learned.
    """

    read: Read
    prepare: Prepare
    indices: np.ndarray
    keys: Sequence[str]
    views: int = 1
    y: np.ndarray | None = None

    def __call__(self, numbers: np.ndarray, view: int, seed: int, augmentation: Augmentation | None) -> Related:
        """Sets x (n, views, 3, h, w) with y (n, 1)."""
        plain = self.prepare(self.read(self.indices[numbers]))
        found = [self._view(plain, numbers, f"{view}/{one}", seed, augmentation) for one in range(self.views)]
        known = numbers if self.y is None else self.y[numbers]
        return Related(torch.stack(found, 1), torch.from_numpy(known.astype(np.int64))[:, None].to(plain.device))

    def _view(
        self, plain: Tensor, numbers: np.ndarray, view: str, seed: int, augmentation: Augmentation | None
    ) -> Tensor:
        if augmentation is None:
            return plain
        return augmentation(plain, draw([f"{view}|{self.keys[i]}" for i in numbers], seed=seed, view=0))


@dataclass(frozen=True)
class Windows:
    """Frames that follow one another.

    Parameters
    ----------
    read, prepare : as of `Views`.
    frames : positions of the frames of each set, (n, w).
    y : what is known of each set, int64 (n, m).
    """

    read: Read
    prepare: Prepare
    frames: np.ndarray
    y: np.ndarray

    def __call__(self, numbers: np.ndarray, view: int, seed: int, augmentation: Augmentation | None) -> Related:
        """Sets x (n, w, 3, h, w); every frame of a set is changed alike, since its motion must stay what it is."""
        chosen = self.frames[numbers]
        x = self.prepare(self.read(chosen.reshape(-1)))
        if augmentation is not None:
            keys = [f"{view}|{i}" for i in numbers for _ in range(chosen.shape[1])]
            x = augmentation(x, draw(keys, seed=seed, view=0))
        return Related(x.view(*chosen.shape, *x.shape[1:]), torch.from_numpy(self.y[numbers]).to(x.device))
