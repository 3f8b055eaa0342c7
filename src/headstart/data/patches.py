"""Seed patches and their random transformations: pseudo-classes for images without labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor

from headstart.data.batches import Augmentation, Read, draw
from headstart.data.related import Related

SHIFT, SCALE, ROTATION = 0.2, (0.7, 1.4), 20.0
"""Share of the patch, factors, degrees."""
AXES = (0.5, 2.0)
"""Factors of the principal components of a patch's colours."""
POWER, FACTOR, ADDED = (0.25, 4.0), (0.7, 1.4), 0.1
"""Of saturation and value: their power, their factor, and what is added; this, to the hue too."""
DRAWS = 14
FLAT = 0.25
"""Places whose gradient energy is below this share of the largest of their image are no seeds."""


def choose_seeds(
    read: Read, indices: np.ndarray, *, count: int, size: int, seed: int, block: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Where in which images the seed patches are: numbers (count,) into `indices`, and centres (count, 2), y and x.

    Images are taken in turn, in random order; within one, places are drawn in proportion to the gradient energy in
    the patch around them, E = Σ ‖∇I‖² over its pixels, where E is a quarter of the largest or more. (Dosovitskiy
    et al. 2014 take patches from regions with considerable gradients.)

    Parameters
    ----------
    read : positions → uint8 (n, canvas, canvas, 3); `size` is the side of a patch, at most the canvas.
    """
    rng = np.random.default_rng(seed)
    rounds = -(-count // len(indices))
    numbers = np.concatenate([rng.permutation(len(indices)) for _ in range(rounds)])[:count]
    centres = np.empty((count, 2))
    order = np.argsort(numbers, kind="stable")
    for at in range(0, count, block):
        rows = order[at : at + block]
        there, inverse = np.unique(numbers[rows], return_inverse=True)
        energies = _energies(read(indices[there]), size)
        for row, place in zip(rows, inverse, strict=True):
            energy = energies[place]
            share = np.where(energy >= FLAT * energy.max(), energy, 0).ravel()
            total = share.sum()
            drawn = rng.choice(len(share), p=share / total) if total > 0 else rng.integers(len(share))
            centres[row] = np.array(np.unravel_index(drawn, energy.shape)) + size / 2
    return numbers, centres


def _energies(pixels: np.ndarray, size: int) -> np.ndarray:
    """Gradient energy of every patch that lies inside, by its upper left corner, (n, places, places)."""
    grey = pixels.astype(np.float32).mean(axis=3)
    down, across = np.gradient(grey, axis=(1, 2))
    summed = uniform_filter(down**2 + across**2, size=(0, size, size), mode="constant")
    inside = grey.shape[1] - size + 1
    start = size // 2
    found: np.ndarray = summed[:, start : start + inside, start : start + inside]
    return found


@dataclass(frozen=True)
class Patches:
    """One transformation of each seed patch; its class is its seed.

    After Dosovitskiy, Springenberg, Riedmiller & Brox 2014, https://arxiv.org/abs/1406.6909: shift, scale, rotation,
    the colours' principal components, powers, factors and shifts of saturation and value, and of the hue.

    Parameters
    ----------
    read : positions → uint8 (n, canvas, canvas, 3).
    normalise : values between 0 and 1, (n, 3, h, w) → as a network takes them.
    indices : positions of the images that seeds lie in (k,); `keys` name the seeds.
    centres : of the seeds, y and x in pixels of the canvas, (k, 2).
    size : side of a patch.
    """

    read: Read
    normalise: Callable[[Tensor], Tensor]
    indices: np.ndarray
    keys: Sequence[str]
    centres: np.ndarray
    size: int

    def __call__(self, numbers: np.ndarray, view: int, seed: int, augmentation: Augmentation | None) -> Related:
        """Sets x (n, 1, 3, size, size) with y (n, 1); without `augmentation` the seeds themselves."""
        canvas = torch.from_numpy(self.read(self.indices[numbers])).permute(0, 3, 1, 2).float() / 255
        centres = torch.from_numpy(self.centres[numbers]).float()
        if augmentation is None:
            x = cut_out(canvas, centres, self.size, torch.full((len(numbers), 4), 0.5))
        else:
            draws = draw([f"{view}|{self.keys[i]}" for i in numbers], seed=seed, view=0, count=DRAWS)
            x = recoloured(cut_out(canvas, centres, self.size, draws[:, :4]), draws[:, 4:])
        return Related(self.normalise(x)[:, None], torch.from_numpy(numbers.astype(np.int64))[:, None])


def cut_out(canvas: Tensor, centres: Tensor, size: int, draws: Tensor) -> Tensor:
    """Patches (n, 3, size, size) of (n, 3, c, c), turned, enlarged and shifted by draws (n, 4) between 0 and 1.

    Of draws of one half the patch itself.
    """
    side = canvas.shape[-1]
    # A factor of 1 lies in the middle of the logarithms of 0.7 and 1.4, nearly; the middle draw is made to be it.
    low, high = (math.log(one) for one in SCALE)
    drawn = 2 * draws[:, 2] - 1
    zoom = torch.exp(torch.where(drawn < 0, -drawn * low, drawn * high)).reciprocal() * size / side
    angle = (2 * draws[:, 3] - 1) * math.radians(ROTATION)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    moved = centres.flip(1) + (2 * draws[:, :2] - 1) * SHIFT * size
    at = 2 * moved / side - 1
    theta = torch.stack([torch.stack([cos, -sin, at[:, 0]], 1), torch.stack([sin, cos, at[:, 1]], 1)], 1)
    grid = torch.nn.functional.affine_grid(theta, [len(canvas), 3, size, size], align_corners=False)
    return torch.nn.functional.grid_sample(canvas, grid, padding_mode="reflection", align_corners=False)


def recoloured(x: Tensor, draws: Tensor) -> Tensor:
    """Colours (n, 3, h, w) between 0 and 1, changed by draws (n, 10): first their components, then hue and the rest."""
    x = to_hsv(_by_components(x, draws[:, :3]).clamp_(0, 1))
    drawn = draws[:, 3:9].view(-1, 2, 3, 1, 1)  # of saturation and of value: power, factor, what is added
    power = torch.exp(_between(drawn[:, :, 0], *map(math.log, POWER)))
    factor, added = _between(drawn[:, :, 1], *FACTOR), _between(drawn[:, :, 2], -ADDED, ADDED)
    hue = (x[:, :1] + _between(draws[:, 9], -ADDED, ADDED)[:, None, None, None]) % 1
    # x to the power p as exp(p log x): many times as quick as a power for each pixel.
    changed = x[:, 1:].clamp_(min=1e-6).log_().mul_(power).exp_().mul_(factor).add_(added).clamp_(0, 1)
    return from_hsv(torch.cat([hue, changed], 1))


def _by_components(x: Tensor, draws: Tensor) -> Tensor:
    flat = x.flatten(2)
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    axes = torch.linalg.eigh(centred @ centred.mT / flat.shape[2])[1]
    factor = torch.exp(_between(draws, *map(math.log, AXES)))
    mixed = axes * factor[:, None, :] @ axes.mT
    found: Tensor = (mixed @ centred + mean).view_as(x)
    return found


def _between(draws: Tensor, low: float, high: float) -> Tensor:
    return draws * (high - low) + low


def to_hsv(x: Tensor) -> Tensor:
    """RGB → hue, saturation, value, all between 0 and 1, (n, 3, h, w)."""
    value, which = x.max(1, keepdim=True)
    spread = value - x.amin(1, keepdim=True)
    # Hue: by which two channels differ that come after the largest one, from where that one stands on the circle.
    after = x.roll(-1, 1) - x.roll(-2, 1)
    sixths = after.gather(1, which).div_(spread.clamp(min=1e-8)).add_(2 * which)
    return torch.cat([sixths.div_(6).remainder_(1), spread / value.clamp(min=1e-8), value], 1)


def from_hsv(x: Tensor) -> Tensor:
    """Inverse of `to_hsv`."""
    hue, saturation, value = x[:, :1], x[:, 1:2], x[:, 2:]
    k = (hue * 6 + torch.tensor([5.0, 3.0, 1.0], device=x.device).view(1, 3, 1, 1)).remainder_(6)
    return value - value * saturation * torch.minimum(k, 4 - k).clamp_(0, 1)
