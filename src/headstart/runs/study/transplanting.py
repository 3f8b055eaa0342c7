"""What may be asked of the laboratory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headstart.errors import OptionError
from headstart.runs.options import MOST_EPOCHS, Options

KINDS = ("random", "dissimilar", "similar", "names")
"""Ways to halve the classes; anything else is the path of a table."""
SHARES = (0.7, 0.1, 0.2)
"""Of the images: to train on, to choose the learning rate of the bases on, to judge on."""
MOST_SEEDS = 20


@dataclass(frozen=True, kw_only=True)
class Transplanting(Options):
    """The question of a study of transferability, resolved.

    Attributes
    ----------
    architecture : timm's name, or a plain network of ours.
    splits : kinds of halves of the classes, each one of `KINDS` or the path of a table.
    seeds : how many; each changes the halves that are drawn, first weights, order, and which images are judged.
    cuts : where networks are cut; all that it has where there are none.
    labels : numbers of labels of a class that the target half is learned with, beside all of them.
    epochs : of every network; None: as many as the budget allows.
    reference : a pretrained network whose features say which classes are alike.
    jobs : networks that are trained at a time.
    """

    architecture: str
    splits: tuple[str, ...]
    seeds: int
    cuts: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    epochs: int | None = None
    reference: str = ""
    jobs: int = 1
    strategy: str = "transferability"
    metric: str = "accuracy"
    margin: float = 0.0
    class_weight: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.splits or len(set(self.splits)) < len(self.splits):
            raise OptionError("Each kind of split must be named once.", f"Choose among {', '.join(KINDS)}, or a table.")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise OptionError(f"{self.seeds} seeds are out of range.", f"Choose 1 to {MOST_SEEDS}.")
        if self.labels and min(self.labels) < 1:
            raise OptionError(f"{min(self.labels)} labels of a class teach nothing.", "Choose 1 or more.")
        if self.epochs is not None and not 1 <= self.epochs <= MOST_EPOCHS:
            raise OptionError(f"{self.epochs} epochs are out of range.", f"Choose 1 to {MOST_EPOCHS}.")
        if self.jobs < 1:
            raise OptionError(f"{self.jobs} networks at a time train nothing.", "Choose 1 or more.")

    def to_json(self) -> dict[str, Any]:
        """What must agree for a study to be resumed: not how many networks are trained at a time."""
        return {name: value for name, value in super().to_json().items() if name != "jobs"}
