"""The one seam by which a new way of training is added."""

from __future__ import annotations

import copy
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from headstart.data.batches import Batch


@runtime_checkable
class Objective(Protocol):
    """What a training step lowers: named losses whose sum is differentiated.

    `progress` runs from 0 to 1 over the planned training. The parameters of an objective that is a module train
    beside the model's, and are not handed back with it.
    """

    def __call__(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Scalar losses by name."""
        ...


def own_parameters(objective: Objective) -> dict[str, nn.Parameter]:
    """What an objective itself learns, by name."""
    named = objective.named_parameters() if isinstance(objective, nn.Module) else ()
    return {name: parameter for name, parameter in named if parameter.requires_grad}


def apart(objective: Objective) -> Objective:
    """For another trial: the same objective, or a copy where it learns something."""
    return copy.deepcopy(objective) if own_parameters(objective) else objective
