"""Seeded batches of images: the order depends on (seed, epoch) alone, a view on (seed, view, image) alone.

A view of an image is what one draw of the augmentation makes of it. It does not depend on the other
images of a batch or a split, so that whatever is computed from it may be kept and used again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

VIEW_VERSION = 1
"""Changes whenever the same key might give another view; a part of every key views are kept under."""

Read = Callable[[np.ndarray], np.ndarray]
Prepare = Callable[[np.ndarray], Tensor]
B_co = TypeVar("B_co", covariant=True)


@dataclass(frozen=True)
class Batch:
    """Images (n, 3, h, w), normalised, and their classes (n,); of m tasks (n, m), −1 where there is no label."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Augmentation:
    """Random transformations that keep the label in nearly every domain; no mirror images.

    Attributes
    ----------
    shift : largest shift, as a share of the side.
    scale : smallest and largest enlargement.
    rotation : largest rotation in degrees.
    contrast, brightness : largest relative change, and largest change in normalised units.
    """

    shift: float = 0.1
    scale: tuple[float, float] = (0.85, 1.2)
    rotation: float = 10.0
    contrast: float = 0.2
    brightness: float = 0.2

    def __call__(self, x: Tensor, draws: Tensor) -> Tensor:
        """(n, 3, h, w) → the same shape; every image is transformed on its own.

        Parameters
        ----------
        draws : (n, 6) numbers between 0 and 1, see `draw`.
        """
        drawn = iter(draws.to(x.device).unbind(1))

        def uniform(low: float, high: float) -> Tensor:
            return next(drawn) * (high - low) + low

        angle = uniform(-self.rotation, self.rotation) * (math.pi / 180)
        zoom = torch.exp(uniform(math.log(self.scale[0]), math.log(self.scale[1]))).reciprocal()
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        shift_x, shift_y = uniform(-2 * self.shift, 2 * self.shift), uniform(-2 * self.shift, 2 * self.shift)
        theta = torch.stack([torch.stack([cos, -sin, shift_x], 1), torch.stack([sin, cos, shift_y], 1)], 1)
        grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
        moved = torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        contrast = uniform(1 - self.contrast, 1 + self.contrast).view(-1, 1, 1, 1)
        brightness = uniform(-self.brightness, self.brightness).view(-1, 1, 1, 1)
        return moved * contrast + brightness


def draw(keys: Sequence[str], *, seed: int, view: int, count: int = 6) -> Tensor:
    """Numbers (n, count) between 0 and 1 that decide one view of each image; a row depends on its own key alone."""
    generator = torch.Generator()
    rows = []
    for key in keys:
        digest = hashlib.blake2b(f"{seed}|{view}|{key}".encode(), digest_size=8).digest()
        generator.manual_seed(int.from_bytes(digest, "little") >> 1)
        rows.append(torch.rand(count, generator=generator))
    return torch.stack(rows)


class Feed(Protocol[B_co]):
    """What the loop reads, whatever a batch is."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[B_co]:
        """Everything, in the order of this epoch and in its view."""
        ...


class Stream(Feed[Batch], Protocol):
    """Everything once, with labels: images, or what a frozen part of the network made of them."""

    @property
    def y(self) -> np.ndarray:
        """Classes (n,), of m tasks (n, m)."""
        ...

    def in_order(self) -> Iterator[Batch]:
        """Everything once, in the order given, as it is."""
        ...


@dataclass(frozen=True)
class Batches:
    """Labelled images, some at a time.

    Parameters
    ----------
    read : positions → uint8 (n, size, size, 3), e.g. `Survey.pixels`.
    prepare : uint8 pixels → normalised float tensor, e.g. `Preprocessing.tensor`.
    indices : positions of the images (n,).
    y : their classes (n,), of m tasks (n, m), in the order of `indices`.
    size : images in a batch.
    keys : names of the images (n,), on which their views depend; their positions by default.
    """

    read: Read
    prepare: Prepare
    indices: np.ndarray
    y: np.ndarray
    size: int
    keys: Sequence[str] | None = None

    def __len__(self) -> int:
        """Batches in an epoch of training: a last batch of one image is merged into its neighbour."""
        return batches_of(len(self.indices), self.size)

    def in_order(self) -> Iterator[Batch]:
        """All images once, in the order given, as they are."""
        for start in range(0, len(self.indices), self.size):
            yield self.plain(np.arange(len(self.indices))[start : start + self.size])

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """All images once, in the order of this epoch and in its view.

        Parameters
        ----------
        epoch : 1, 2, …
        views : so many views of each image are gone through in turn; 0 means a new one every epoch.
        """
        for part in self.order(epoch, seed=seed):
            yield self.view(part, view_of(epoch, views), seed=seed, augmentation=augmentation)

    def order(self, epoch: int, *, seed: int) -> list[np.ndarray]:
        """Which images (numbers 0 … n − 1) stand in each batch of an epoch."""
        return shuffle(len(self.indices), self.size, epoch, seed=seed)

    def plain(self, numbers: np.ndarray) -> Batch:
        """The images with these numbers, as they are."""
        x = self.prepare(self.read(self.indices[numbers]))
        return Batch(x, torch.from_numpy(self.y[numbers]).to(x.device))

    def view(self, numbers: np.ndarray, view: int, *, seed: int, augmentation: Augmentation | None) -> Batch:
        """One view of the images with these numbers."""
        batch = self.plain(numbers)
        if augmentation is None:
            return batch
        return Batch(augmentation(batch.x, draw([self.key(i) for i in numbers], seed=seed, view=view)), batch.y)

    def key(self, number: int) -> str:
        """What the views of an image depend on."""
        return self.keys[number] if self.keys is not None else str(self.indices[number])


@dataclass(frozen=True)
class Steps:
    """A stream gone through again and again, so many batches an epoch: few images take as many steps as many."""

    stream: Stream
    count: int

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.count

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """So many batches of rounds through everything, each round in an order of its own."""
        each = -(-self.count // len(self.stream))
        rounds = range((epoch - 1) * each + 1, epoch * each + 1)
        told = partial(self.stream.shuffled, seed=seed, augmentation=augmentation, views=views)
        return islice(chain.from_iterable(map(told, rounds)), self.count)


def batches_of(n: int, size: int) -> int:
    """Batches of `size` that `n` images are gone through in; a last one of one image is merged into its neighbour."""
    return max(1, math.ceil((n - 1) / size))


def shuffle(n: int, size: int, epoch: int, *, seed: int) -> list[np.ndarray]:
    """Numbers 0 … n − 1 in an order that depends on (seed, epoch) alone, some at a time."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(n, generator=generator).numpy()
    # Batch norm cannot take a batch of one, so batches are as even as possible.
    return np.array_split(order, batches_of(n, size))


def view_of(epoch: int, views: int) -> int:
    """The view that an epoch (1, 2, …) goes through."""
    return (epoch - 1) % views if views else epoch - 1
