"""What `headstart.labels` hands back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from headstart.evidence.learning_curves import Forecast

LEVEL = 0.8
"""Probability of the intervals."""


@dataclass(frozen=True)
class Frozen:
    """The learning curve of one frozen network.

    Attributes
    ----------
    backbone, cut : whose features, chosen by ridge out of fold on the training part.
    points : accuracy at every size, the mean over replicates, with its interval.
    """

    backbone: str
    cut: str
    points: tuple[Forecast, ...]


@dataclass(frozen=True)
class Trained:
    """The learning curve of a network that was trained at each size.

    Attributes
    ----------
    strategy, title : a row of `headstart.strategies.TABLE`, and the same in words.
    epochs : at most so many, at every size.
    sizes, points : numbers of labels, ascending, and accuracies with them.
    over_frozen : accuracy at the last size minus that of the frozen network, on the same images.
    now, gain : with all labels, and what `more` would bring, forecast; None with one size.
    improving : in so many trainings the last epoch was the best: longer ones might have reached more.
    """

    strategy: str
    title: str
    epochs: int
    sizes: tuple[int, ...]
    points: tuple[Forecast, ...]
    over_frozen: Forecast
    now: Forecast | None
    gain: Forecast | None
    improving: int


@dataclass(frozen=True)
class Meeting:
    """Where the curves of two ways meet.

    Attributes
    ----------
    one, other : names: ``probe`` is the frozen network, the others are strategies.
    at : the number of labels at which they cross; None where they do not up to `searched` labels.
    ahead : the one that is ahead from there on, or throughout.
    measured : the largest number of labels that was measured.
    """

    one: str
    other: str
    at: Forecast | None
    ahead: str
    measured: int
    searched: int


@dataclass(frozen=True)
class Trainings:
    """Curves of trained networks.

    Attributes
    ----------
    replicates : trainings at each size, judged on the images of the first replicates of the frozen curve.
    curves : of the strategy, and of training from scratch; none where the budget was too small.
    meetings : of the frozen network and the first curve, and of both curves; over the same replicates.
    seconds : that all trainings took.
    notes : what had to be left out, and what cannot be told, in sentences.
    """

    replicates: int
    curves: tuple[Trained, ...]
    meetings: tuple[Meeting, ...]
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """What `labels` found; shares, with 80 % intervals (None with one replicate).

    Attributes
    ----------
    labels : how many there are to learn from: training and validation part together. The test part is in no number.
    sizes : numbers of labels that were measured, ascending.
    transferred, control : the backbone, and the same architecture with random weights.
    crossing : the number of labels from which the one that is behind at first is ahead; None where they do not cross.
    now : accuracy with all labels, forecast.
    more, gain : so many further labels, and what they would bring.
    half_cost : what half of the labels would have cost.
    left_out : images that could not be read.
    trained : the same of networks that are trained; None where that was not asked for.
    """

    labels: int
    sizes: tuple[int, ...]
    transferred: Frozen
    control: Frozen
    crossing: Forecast | None
    now: Forecast
    more: int
    gain: Forecast
    half_cost: Forecast
    left_out: int
    trained: Trainings | None = None

    def to_json(self) -> dict[str, Any]:
        """As one document."""
        return asdict(self) | {"level": LEVEL, "metric": "accuracy"}
