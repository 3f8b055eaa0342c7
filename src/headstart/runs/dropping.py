"""Losers are dropped before they have cost all that was planned for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evidence import paired
from headstart.records import Record
from headstart.runs.context import Context, Prepared, kept_predictions
from headstart.strategies import TABLE, Strategy

LEVEL = 0.99
"""Of the interval that shows a strategy to be worse: each is looked at after every fold, so little is risked."""


@dataclass(frozen=True)
class Rivals:
    """Those that have finished before a strategy that trains; one that only fits a head has none.

    It is decided by records and by predictions that are kept: resuming a run drops the same ones.
    """

    context: Context
    prepared: Prepared
    row: Strategy

    def loss(self, replicate: int) -> float | None:
        """The lowest loss of a transferred training before, on the same inner images of a replicate.

        None for a control, whose training is what transfer is measured against.
        """
        if self.row.control:
            return None
        losses = []
        for record in self._before():
            curves = record.detail["curves"]
            if len(curves) > replicate:
                points = curves[replicate]["points"]
                losses += [points[0]["loss"], points[curves[replicate]["best_epoch"]]["loss"]]
        return min(losses, default=None)

    def beat(self, kept: Sequence[tuple[np.ndarray, np.ndarray]], *, of: int) -> str:
        """Why no further fold is worth its time, from the (images, probabilities) of those that ran; or empty.

        On them it is shown to be worse than the best one before by more than the margin.
        """
        before = self._before()
        if not self.row.trains or not kept or not before:
            return ""
        leader = max(before, key=lambda record: float(record.metrics["value"]))
        indices = np.concatenate([part for part, _ in kept])
        mine = np.concatenate([shares for _, shares in kept]).argmax(1)
        theirs = kept_predictions(self.context.folder / leader.detail["predictions"])[1][: len(indices)].argmax(1)
        y, groups, options = self.prepared.y[indices], self.prepared.groups[indices], self.context.options
        found = paired(y, theirs, mine, groups, metric=options.metric, level=LEVEL)
        if found.low is None or found.low <= options.margin:
            return ""
        worse = f"{100 * found.value:.1f} points ({LEVEL:.0%} interval from {100 * found.low:.1f}) worse than"
        return f"Dropped after {len(kept)} of {of} trainings: {worse} {TABLE[leader.strategy].title}."

    def _before(self) -> list[Record]:
        """Transferred candidates that have run to their end."""
        found = self.context.journal.of("candidate")
        return [r for r in found if not TABLE[r.strategy].control and not r.detail["dropped"]]
