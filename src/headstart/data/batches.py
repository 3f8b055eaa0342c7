"""Seeded batches of images: the order and the augmentation depend on (seed, epoch) alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Read = Callable[[np.ndarray], np.ndarray]
Prepare = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Batch:
    """Images (n, 3, h, w), normalised, and their classes (n,)."""

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

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(n, 3, h, w) → the same shape; every image is transformed on its own."""

        def uniform(low: float, high: float) -> Tensor:
            drawn = torch.rand(len(x), generator=generator) * (high - low) + low
            return drawn.to(x.device)

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


@dataclass(frozen=True)
class Batches:
    """Labelled images, some at a time.

    Parameters
    ----------
    read : positions → uint8 (n, size, size, 3), e.g. `Survey.pixels`.
    prepare : uint8 pixels → normalised float tensor, e.g. `Preprocessing.tensor`.
    indices : positions of the images (n,).
    y : their classes (n,), in the order of `indices`.
    size : images in a batch.
    """

    read: Read
    prepare: Prepare
    indices: np.ndarray
    y: np.ndarray
    size: int

    def __len__(self) -> int:
        """Batches in an epoch of training: a last batch of one image is merged into its neighbour."""
        return max(1, math.ceil((len(self.indices) - 1) / self.size))

    def in_order(self) -> Iterator[Batch]:
        """All images once, in the order given, as they are."""
        for start in range(0, len(self.indices), self.size):
            chosen = slice(start, start + self.size)
            yield self._batch(np.arange(len(self.indices))[chosen])

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None) -> Iterator[Batch]:
        """All images once, in the order and with the augmentation of this epoch."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.indices), generator=generator).numpy()
        # Batch norm cannot take a batch of one, so batches are as even as possible.
        for part in np.array_split(order, len(self)):
            batch = self._batch(part)
            yield batch if augmentation is None else Batch(augmentation(batch.x, generator), batch.y)

    def _batch(self, positions: np.ndarray) -> Batch:
        x = self.prepare(self.read(self.indices[positions]))
        return Batch(x, torch.from_numpy(self.y[positions]).to(x.device))
