"""The one seam by which a new way of training is added."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from headstart.data.batches import Batch


@runtime_checkable
class Objective(Protocol):
    """What a training step lowers: named losses whose sum is differentiated.

    `progress` runs from 0 to 1 over the planned training.
    """

    def __call__(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Scalar losses by name."""
        ...
