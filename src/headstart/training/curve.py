"""What a training went through, and when it ends."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from headstart.training.recipe import Recipe


@dataclass
class Point:
    """One epoch: mean training loss, and loss and accuracy on the part that decides when to stop."""

    epoch: int
    train_loss: float
    loss: float
    value: float


@dataclass
class Curve:
    """What a training went through. `stopped` says why it ended, `rising` whether it still got better."""

    points: list[Point] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def still_improving(self) -> bool:
        """Whether the best epoch was the last one: more epochs might have given more."""
        return bool(self.points) and self.best_epoch == self.points[-1].epoch

    @property
    def epoch(self) -> int:
        """The last one that is finished."""
        return self.points[-1].epoch

    @property
    def lowest(self) -> float:
        """The loss of the best epoch."""
        return self.points[self.best_epoch].loss

    def to_json(self) -> dict[str, object]:
        """For records: plain lists and numbers."""
        return asdict(self) | {"still_improving": self.still_improving}


def stop(curve: Curve, recipe: Recipe) -> str:
    """Why a training ends after its last epoch; empty where it goes on."""
    last = curve.points[-1]
    if not math.isfinite(last.loss):
        return "the validation loss was no longer finite"
    # Counted from the best epoch of training, not from epoch 0: full learning rates first disturb a
    # network that starts from a fitted head, and it comes back as they fall.
    best = min(curve.points[1:], key=lambda point: point.loss)
    if last.epoch - best.epoch >= recipe.patience:
        return f"the validation loss had not fallen for {recipe.patience} epoch{'s' * (recipe.patience > 1)}"
    return "all planned epochs were done" if last.epoch >= recipe.epochs else ""
