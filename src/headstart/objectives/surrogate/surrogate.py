"""What every surrogate task has: losses on related images, and a way to tell whether it is being solved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from headstart.data.related import Related


@runtime_checkable
class Surrogate(Protocol):
    """An `Objective` on `Related` images that says of each answer whether it is right, and how often chance would be.

    It learns a head of its own, which is not handed back: the network below it is.
    """

    def __call__(self, model: Any, batch: Related, progress: float) -> dict[str, Tensor]:
        """Scalar losses by name."""
        ...

    def right(self, model: Any, batch: Related) -> Tensor:
        """Which of the questions that the batch poses are answered rightly, bool."""
        ...

    def chance(self, batch: Related) -> float:
        """The share of them that an answer at random gets right."""
        ...


def embed(model: nn.Module, x: Tensor) -> Tensor:
    """Features of sets of images, (n, w, 3, h, w) → (n, w, d)."""
    z: Tensor = model(x.flatten(0, 1))
    return z.view(*x.shape[:2], -1)


def seeded_linear(sizes: Sequence[int], *, seed: int) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them, whose first weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for i, (d, k) in enumerate(pairwise(sizes)):
            layers += [*([nn.ReLU()] if i else []), nn.Linear(d, k)]
        return nn.Sequential(*layers)
