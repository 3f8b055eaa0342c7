"""What is added to a loss so that fine-tuning keeps something of the source."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Penalty(Protocol):
    """A scalar to lower beside the loss, under a name of its own."""

    name: str

    def __call__(self, model: nn.Module, z: Tensor) -> Tensor:
        """The model and the (n, d) features that its head reads for a batch → a scalar."""
        ...
