"""What a training went through, which epoch of it is handed back, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headstart.training.inference import Scores
from headstart.training.recipe import Recipe

Losses = NDArray[np.float64]

BEHIND = "even an optimistic continuation stayed above the loss of a cheaper training"
SHOWN = 2.0
"""Standard errors above the lowest loss from which a loss is said to have increased, or accuracy to have fallen."""


@dataclass
class Point:
    """One epoch: mean training loss, and what the part says that decides when to stop.

    Attributes
    ----------
    loss, value : mean cross-entropy and accuracy on that part.
    error : standard error of the loss minus the lowest of training until then, paired over images.
    """

    epoch: int
    train_loss: float
    loss: float
    value: float
    error: float = 0.0


@dataclass
class Curve:
    """What a training went through; epoch 0 is the model as it came.

    The epoch that is handed back is chosen by the *one-standard-error rule*, for the later one: the last epoch whose
    loss is above neither the lowest of training nor that of epoch 0 by more than one standard error of the
    difference, paired over images; epoch 0 where there is none. A rate that falls to zero makes later epochs the
    better trained ones, and the lowest of several noisy losses is often a lucky one. (Breiman et al.,
    *Classification and Regression Trees*, 1984, who lean to the simpler one.) An epoch that is `SHOWN` to be right less
    often than epoch 0 is passed over: a network that has fallen to guessing has hardly a higher loss than one that is
    often right but as often surely wrong.

    Attributes
    ----------
    best_epoch : the one that is handed back.
    lowest_epoch : of training, by its loss.
    stopped : why training ended; empty while it goes on.
    rung : losses by image, ``(n,)``, at the epoch at which losers are dropped; None before.
    """

    points: list[Point] = field(default_factory=list)
    best_epoch: int = 0
    lowest_epoch: int = 0
    stopped: str = ""
    rung: Losses | None = field(default=None, repr=False)
    _losses: dict[int, Losses] = field(default_factory=dict, repr=False)
    _right: Losses | None = field(default=None, repr=False)

    def add(self, epoch: int, train_loss: float, scores: Scores, *, rung: bool = False, last: bool = False) -> bool:
        """Take in an epoch; whether it is the one to hand back so far: with `last`, wherever its loss is finite."""
        if rung:
            self.rung = scores.losses
        lowest = epoch <= 1 or scores.loss < self.points[self.lowest_epoch].loss
        finite = math.isfinite(scores.loss)
        error = _error(scores.losses - self._losses[self.lowest_epoch]) if finite and not lowest else 0.0
        self.points.append(Point(epoch, train_loss, scores.loss, scores.accuracy, error))
        if lowest:
            self._losses = {e: kept for e, kept in self._losses.items() if e == 0} | {epoch: scores.losses}
            self.lowest_epoch = epoch
        references = [losses for e, losses in self._losses.items() if e != epoch]
        if epoch == 0:
            self._right = scores.right
        if not finite:
            return False
        if not last and (self._fallen(scores) or any(_above(scores.losses - losses) > 1 for losses in references)):
            return False
        self.best_epoch = epoch
        return True

    def _fallen(self, scores: Scores) -> bool:
        """Whether a model is shown to be right less often than the one of epoch 0.

        Not paired over images: a network that has fallen to guessing is meant, not one that has lost a few of them.
        """
        if self._right is None or scores.right is None:
            return False
        lost = float(self._right.mean() - scores.right.mean())
        return lost > SHOWN * math.hypot(_error(self._right), _error(scores.right))

    @property
    def still_improving(self) -> bool:
        """Whether the last epoch had the lowest loss: more epochs might have given more."""
        return bool(self.points) and self.lowest_epoch == self.points[-1].epoch

    @property
    def behind(self) -> bool:
        """Whether it was dropped half-trained, since a cheaper training had a loss that it would not reach."""
        return self.stopped.startswith(BEHIND)

    @property
    def epoch(self) -> int:
        """The last one that is finished."""
        return self.points[-1].epoch

    @property
    def loss(self) -> float:
        """The loss of the epoch that is handed back."""
        return self.points[self.best_epoch].loss

    def to_json(self) -> dict[str, object]:
        """For records: plain lists and numbers."""
        return {
            "points": [vars(point).copy() for point in self.points],
            "best_epoch": self.best_epoch,
            "lowest_epoch": self.lowest_epoch,
            "stopped": self.stopped,
            "still_improving": self.still_improving,
        }

    def arrays(self) -> dict[str, Losses]:
        """What a checkpoint needs beside `to_json` to go on: losses by image of the epochs to compare with."""
        told = {"rung": self.rung, "right": self._right}
        return {name: array for name, array in told.items() if array is not None} | {
            str(epoch): losses for epoch, losses in self._losses.items()
        }

    @classmethod
    def from_json(cls, told: dict[str, object], arrays: dict[str, Losses]) -> Curve:
        """Inverse of `to_json` and `arrays`."""
        kept = {name: told[name] for name in ("best_epoch", "lowest_epoch", "stopped")}
        points = [Point(**point) for point in told["points"]]  # type: ignore[attr-defined]
        losses = {int(name): array for name, array in arrays.items() if name not in ("rung", "right")}
        return cls(points, **kept, rung=arrays.get("rung"), _losses=losses, _right=arrays.get("right"))  # type: ignore[arg-type]


def stop(curve: Curve, recipe: Recipe, *, rival: float | None = None) -> str:
    """Why a training ends after its last epoch; empty where it goes on.

    It ends when the validation loss has been shown to be above the lowest of training for `recipe.patience` epochs
    in a row. The model as it came does not count: full rates first disturb a network that starts from a
    fitted head, and it comes back as they fall.

    It is dropped at `recipe.rung` where even an optimistic continuation stays above `rival`, the lowest loss of
    another training on the same images: twice what the last doubling of epochs has brought, and two standard
    errors more (the loss falls about as the logarithm of the epochs until the rate has fallen).
    """
    last = curve.points[-1]
    if not math.isfinite(last.loss):
        return "the validation loss was no longer finite"
    lately, lowest = curve.points[1:][-recipe.patience :], curve.points[curve.lowest_epoch].loss
    if len(lately) == recipe.patience and all(p.loss - lowest > SHOWN * p.error for p in lately):
        return f"the validation loss had been above its lowest for {recipe.patience} epoch{'s' * (recipe.patience > 1)}"
    if rival is not None and last.epoch == recipe.rung and _optimistic(curve) > rival:
        return f"{BEHIND} ({rival:.2f})"
    return "all planned epochs were done" if last.epoch >= recipe.epochs else ""


def losers(curves: Sequence[Curve]) -> list[int]:
    """Which of several trainings on the same images are shown at their rung to be worse than the best of them.

    Shown: the loss is above the lowest one by more than `SHOWN` standard errors of the difference, paired over images.
    """
    at = [curve.rung for curve in curves]
    known = [losses for losses in at if losses is not None]
    if len(known) < len(curves):
        return []
    best = min(known, key=lambda losses: float(losses.mean()))
    return [number for number, losses in enumerate(known) if losses is not best and _above(losses - best) > SHOWN]


def _optimistic(curve: Curve) -> float:
    before = min(point.loss for point in curve.points[1 : 1 + curve.epoch // 2])
    now = curve.points[curve.lowest_epoch].loss
    return now - 2 * (before - now) - SHOWN * (_error(curve.rung) if curve.rung is not None else 0.0)


def _error(differences: Losses) -> float:
    """Standard error of a mean; 0 of a lone image, which tells nothing of it."""
    n = len(differences)
    return float(differences.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0


def _above(differences: Losses) -> float:
    """Mean in standard errors."""
    mean, error = float(differences.mean()), _error(differences)
    return mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
