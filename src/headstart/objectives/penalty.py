"""What is added to a loss so that fine-tuning keeps something of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from headstart.backbones import Transferred


@dataclass(frozen=True, eq=False)
class Start:
    """What a penalty may be made of, before the first step.

    Attributes
    ----------
    model : as it will be trained.
    classifier : the source's own, (n, d) features at ``top`` → (n, classes of the source) logits; None where the
        network has none.
    z, y : (n, d) features at ``top`` and (n,) classes of training images.
    """

    model: Transferred
    classifier: nn.Linear | None
    z: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch, and what the model made of it.

    Attributes
    ----------
    x : (n, …) what went in, mixed where pairs are mixed.
    y : (n,) classes.
    maps : activations that are not pooled at the cuts above the frozen one, from the lowest to ``top``.
    """

    x: Tensor
    y: Tensor
    maps: Mapping[str, Tensor]

    @property
    def z(self) -> Tensor:
        """(n, d) features that the head reads."""
        return self.maps["top"]


class Penalty(Protocol):
    """A scalar to lower beside the loss, under a name of its own; as a module, it may hold what trains too."""

    name: str

    def __call__(self, model: Transferred, seen: Seen) -> Tensor:
        """The model and what it made of a batch → a scalar."""
        ...
