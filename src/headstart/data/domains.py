"""Batches of two domains at once: labelled ones of the source, and ones of the target, which has no labels.

Labels of the target are absent from the type: an `UnlabelledBatch` has no `y`, nor has what it is made from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from headstart.data.batches import Augmentation, Batch, Feed, Prepare, Read, batches_of, draw, shuffle, view_of

B = TypeVar("B")

APART = 500_009
"""Added to the target's seed: two domains of the same items in the same order must not come in pairs of them."""


@dataclass(frozen=True)
class UnlabelledBatch:
    """Images of a domain whose labels are not there to be used.

    Attributes
    ----------
    x : (n, 3, h, w), normalised, in the view of this epoch.
    plain : (n, 3, h, w), the same images as they are.
    numbers : (n,), which images of their stream they are.
    """

    x: Tensor
    plain: Tensor
    numbers: Tensor


@dataclass(frozen=True)
class UnlabelledBatches:
    """Images without labels, some at a time.

    Parameters
    ----------
    read : positions → uint8 (n, size, size, 3), e.g. `Survey.pixels`.
    prepare : uint8 pixels → normalised float tensor, e.g. `Preprocessing.tensor`.
    indices : positions of the images (n,).
    size : images in a batch.
    keys : names of the images (n,), on which their views depend; their positions by default.
    """

    read: Read
    prepare: Prepare
    indices: np.ndarray
    size: int
    keys: Sequence[str] | None = None

    def __len__(self) -> int:
        """Batches in an epoch: a last batch of one image is merged into its neighbour."""
        return batches_of(len(self.indices), self.size)

    def in_order(self) -> Iterator[UnlabelledBatch]:
        """All images once, in the order given, as they are."""
        for start in range(0, len(self.indices), self.size):
            yield self._batch(np.arange(len(self.indices))[start : start + self.size])

    def shuffled(
        self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0
    ) -> Iterator[UnlabelledBatch]:
        """All images once, in the order of this epoch and in its view."""
        for numbers in shuffle(len(self.indices), self.size, epoch, seed=seed + APART):
            batch = self._batch(numbers)
            if augmentation is not None:
                keys = [self.keys[i] if self.keys is not None else str(self.indices[i]) for i in numbers]
                x = augmentation(batch.plain, draw(keys, seed=seed, view=view_of(epoch, views)))
                batch = UnlabelledBatch(x, batch.plain, batch.numbers)
            yield batch

    def _batch(self, numbers: np.ndarray) -> UnlabelledBatch:
        x = self.prepare(self.read(self.indices[numbers]))
        return UnlabelledBatch(x, x, torch.from_numpy(numbers).to(x.device))


@dataclass(frozen=True)
class Pair:
    """A batch of each domain; their sizes may differ."""

    source: Batch
    target: UnlabelledBatch


@dataclass(frozen=True)
class Paired:
    """Batches of two domains side by side: a `Feed` that the loop cannot tell from one of a single domain.

    An epoch goes through the longer one once, and through the shorter one again and again, each time in another
    order and view, which depend on (seed, epoch) alone.

    Examples
    --------
    >>> pixels = np.zeros((9, 8, 8, 3), "u1")
    >>> prepare = lambda part: torch.from_numpy(part).permute(0, 3, 1, 2).float()
    >>> from headstart.data.batches import Batches
    >>> source = Batches(pixels.__getitem__, prepare, np.arange(4), np.array([0, 1, 0, 1]), 2)
    >>> target = UnlabelledBatches(pixels.__getitem__, prepare, np.arange(9), 3)
    >>> pairs = list(Paired(source, target).shuffled(1, seed=0, augmentation=None))
    >>> [(len(pair.source.y), len(pair.target.x)) for pair in pairs]
    [(2, 3), (2, 3), (2, 3)]
    """

    source: Feed[Batch]
    target: UnlabelledBatches

    def __len__(self) -> int:
        """Batches in an epoch: as many as the longer domain has."""
        return max(len(self.source), len(self.target))

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Pair]:
        """Everything of both domains at least once."""
        source = _again(self.source, len(self), epoch, seed=seed, augmentation=augmentation, views=views)
        target = _again(self.target, len(self), epoch, seed=seed, augmentation=augmentation, views=views)
        return map(Pair, source, target)


def _again(
    feed: Feed[B], length: int, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int
) -> Iterator[B]:
    """The `length` batches of an epoch: so many passes, each of which is an epoch of its own to `feed`."""
    passes = math.ceil(length / len(feed))
    first = (epoch - 1) * passes + 1
    whole = (
        batch
        for one in range(first, first + passes)
        for batch in feed.shuffled(one, seed=seed, augmentation=augmentation, views=views)
    )
    return islice(whole, length)
