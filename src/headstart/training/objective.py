"""The one seam by which a new way of training is added."""

from __future__ import annotations

import copy
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from headstart.backbones import Transferred

B_contra = TypeVar("B_contra", contravariant=True)
Some = TypeVar("Some", bound="Objective[Any]")


@runtime_checkable
class Objective(Protocol[B_contra]):
    """What a training step lowers: named losses whose sum is differentiated.

    `progress` runs from 0 to 1 over the planned training. The parameters of an objective that is a module train
    beside the model's, and are not handed back with it; its whole state dict goes into the checkpoint.

    What a batch is, is the objective's own to say: images with labels, images of two domains, images alone.
    """

    def __call__(self, model: Any, batch: B_contra, progress: float) -> dict[str, Tensor]:
        """Scalar losses by name."""
        ...


@runtime_checkable
class AtEpoch(Protocol):
    """An objective that looks at the data before each epoch, e.g. to give them pseudo-labels.

    A function of the model, the batches and the objective's own state, so that it need not be kept: a training that
    is resumed asks again.
    """

    def at_epoch(self, model: Transferred, batches: Any) -> None:
        """Look at what the epoch will go through: the stream that the objective's batches come from."""
        ...


@runtime_checkable
class AfterStep(Protocol):
    """An objective that follows the model, e.g. by an average of its weights, which its state dict holds."""

    def after_step(self, model: Transferred) -> None:
        """Take in the model as a step left it."""
        ...


def own_parameters(objective: Objective[Any]) -> dict[str, nn.Parameter]:
    """What an objective itself learns, by name."""
    named = objective.named_parameters() if isinstance(objective, nn.Module) else ()
    return {name: parameter for name, parameter in named if parameter.requires_grad}


def own_state(objective: Objective[Any]) -> dict[str, Tensor]:
    """What the next step depends on beside the model, by name; a constant is a buffer that is not persistent."""
    return dict(objective.state_dict()) if isinstance(objective, nn.Module) else {}


def apart(objective: Some) -> Some:
    """For another trial: the same objective, or a copy where it keeps something from step to step."""
    keeps = isinstance(objective, AtEpoch | AfterStep) or own_state(objective)
    return copy.deepcopy(objective) if keeps else objective
