"""Motion that is built: two views of a still, shifted and turned against one another by a known amount."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headstart.data.batches import Augmentation, Read, draw
from headstart.data.related import Related

SHIFTS = 7
"""Steps of the relative shift along each axis, −3 … 3, of a 28th of the side each."""
STEP = 1 / 28
TURNS, TURN = 21, 3.0
"""Steps of the relative rotation, and degrees of each: −30 … 30."""
AXES = ("right", "down", "turn")
SIZES = (SHIFTS, SHIFTS, TURNS)
BASE_SHIFT, BASE_TURN = 1.5, 15.0
"""Largest shift, in steps, and rotation, in degrees, that both views of a still have in common."""


@dataclass(frozen=True)
class BuiltMotions:
    """Two views of every still, and by which step they are apart along three axes.

    After Agrawal, Carreira & Malik 2015, https://arxiv.org/abs/1505.01596, who shift digits by up to 3 of 28 pixels
    and turn them by up to 30 degrees against one another.

    Parameters
    ----------
    read : positions → uint8 (n, size, size, 3).
    normalise : values between 0 and 1, (n, 3, h, w) → as a network takes them.
    indices : positions of the stills (n,); `keys` are their names.
    """

    read: Read
    normalise: Callable[[Tensor], Tensor]
    indices: np.ndarray
    keys: Sequence[str]

    def __call__(self, numbers: np.ndarray, view: int, seed: int, augmentation: Augmentation | None) -> Related:
        """Sets x (n, 2, 3, h, w) with y (n, 3): steps sideways, down and round, from 0."""
        x = torch.from_numpy(self.read(self.indices[numbers])).permute(0, 3, 1, 2).float() / 255
        draws = draw([f"{view}|{self.keys[i]}" for i in numbers], seed=seed, view=0, count=6)
        base = (2 * draws[:, :3] - 1) * torch.tensor([BASE_SHIFT, BASE_SHIFT, BASE_TURN])
        y = (draws[:, 3:] * torch.tensor(SIZES)).long().clamp(max=torch.tensor(SIZES) - 1)
        apart = (y - torch.tensor(SIZES) // 2) * torch.tensor([1.0, 1.0, TURN])
        both = torch.stack([moved(x, base), moved(x, after(base, apart))], 1)
        return Related(self.normalise(both.flatten(0, 1)).view_as(both), y)


def after(first: Tensor, second: Tensor) -> Tensor:
    """The motion (n, 3) that is `first` and then `second`: shifts are turned by what comes after them."""
    angle = second[:, 2] * (math.pi / 180)
    cos, sin = torch.cos(angle), torch.sin(angle)
    right, down = first[:, 0], first[:, 1]
    turned = torch.stack([cos * right + sin * down, cos * down - sin * right, first[:, 2]], 1)
    return turned + second


def moved(x: Tensor, by: Tensor) -> Tensor:
    """Images (n, 3, h, w) shifted, and turned counter-clockwise, by (n, 3): steps right and down, and degrees."""
    angle = by[:, 2] * (math.pi / 180)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift = -2 * STEP * by[:, :2]
    # The grid says where a pixel comes from: the shift is undone first, then the rotation.
    along = cos * shift[:, 0] - sin * shift[:, 1]
    down = sin * shift[:, 0] + cos * shift[:, 1]
    theta = torch.stack([torch.stack([cos, -sin, along], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
