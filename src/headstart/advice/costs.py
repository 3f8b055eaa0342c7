"""What trying a strategy costs, from a short calibration: seconds of a training, whole or above stored activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headstart.strategies import TABLE
from headstart.training import GRADIENT_IMAGES
from headstart.training.rate import STEPS
from headstart.training.recipe import batch_size

FEWEST_EPOCHS = 8
"""Fewer epochs of fine-tuning than this hardly outlast the disturbance of the first ones."""
VIEWS = 4
"""Views of each image that a training from stored activations goes through in turn."""
MOST_STORED = 4 * 10**9
"""Bytes of activations that a training may store."""
STOP_SHARE = 0.15
"""Share of the training images that decide when to stop."""
START = 4.0
"""Seconds that a training costs beside its epochs: loading the network, judging it, keeping what it gave."""


@dataclass(frozen=True)
class Above:
    """Measured cost, per image, of training above a frozen cut from stored activations.

    Attributes
    ----------
    lower : seconds of the frozen part, once per view.
    step : seconds of a training step of what is above.
    bytes : size of the activation at the cut.
    """

    lower: float
    step: float
    bytes: int


@dataclass(frozen=True)
class Calibration:
    """Measured seconds per image of one backbone.

    Attributes
    ----------
    forward : through the whole network, in evaluation mode.
    step : by strategy, of a training step (forward, backward, update).
    heads : of the competition of heads on its features, for each image and class.
    above : by strategy that freezes a part, the same from stored activations.
    """

    forward: float
    step: Mapping[str, float]
    heads: float
    above: Mapping[str, Above] = field(default_factory=dict)


@dataclass(frozen=True)
class Sizes:
    """Images that candidates are trained and judged on, those of training and validation part, folds; what is found."""

    pool: int
    both: int
    folds: int | None
    find_rate: bool = False


@dataclass(frozen=True)
class Cost:
    """Seconds of a strategy: `start` once, `epoch` each; `once`, and `again` each, where it is trained once more."""

    start: float
    epoch: float
    again: float
    once: float
    views: int


def cost_of(row: str, c: Calibration, sizes: Sizes) -> Cost:
    """What a strategy costs: from stored activations where that pays within the fewest epochs, and they have room."""
    trainings = sizes.folds or 1
    seen = sizes.pool * (trainings - 1 if sizes.folds else 1)
    again = sizes.both if TABLE[row].pretrained or sizes.folds else 0
    step = c.step[row]
    once = START + _found(row, step, sizes)
    epoch = seen * ((1 - STOP_SHARE) * step + STOP_SHARE * c.forward)
    whole = Cost(once * trainings, epoch, again * step, once * (again > 0), 0)
    above = c.above.get(row)
    if above is None or (VIEWS + 1) * sizes.both * above.bytes > MOST_STORED:
        return whole
    # Views of an image are the same in every fold and in the last training: its frozen part runs once for all.
    stored = (VIEWS + 1) * sizes.both * above.lower
    once = START + _found(row, above.step, sizes)
    cached = Cost(
        once * trainings + stored, seen * above.step, again * above.step, once=once * (again > 0), views=VIEWS
    )
    pays = cached.start + FEWEST_EPOCHS * cached.epoch < whole.start + FEWEST_EPOCHS * whole.epoch
    return cached if pays else whole


def _found(row: str, step: float, sizes: Sizes) -> float:
    """Seconds, at most, of what is found out before a training: its learning rate, which block trains."""
    # Each step of the sweep passes its batch through the untouched model too, which costs less than a step.
    images = 2 * STEPS * batch_size(sizes.both) * sizes.find_rate
    return step * (images + GRADIENT_IMAGES * (TABLE[row].frozen == "all but one block"))
