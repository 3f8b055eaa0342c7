"""A finished run, as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headstart.advice import Verdict
from headstart.bundle import Predictor
from headstart.errors import RunError
from headstart.records import Journal
from headstart.report import Explained, explain
from headstart.runs.compared import Card
from headstart.runs.sources import cards


@dataclass(frozen=True)
class Recorded:
    """What a command wrote.

    Attributes
    ----------
    folder : holds the records and the page.
    """

    folder: Path

    @cached_property
    def records(self) -> Journal:
        """Everything that was measured; what has read labels to report only says ``reads_target_labels``."""
        return Journal(self.folder / "records.jsonl")

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    def explain(self) -> list[Explained]:
        """What trains, and what stays as it was, in every candidate, from the image to the head.

        A dictionary each, from the records alone: what `headstart explain RUN --json` prints.

        Raises
        ------
        RunError : it is no run of `fit` or `joint`, or has no candidate yet.
        """
        return explain(self.folder)


class RunFolder(Recorded):
    """What a command wrote that hands a model back: the folder holds a bundle, too."""

    @cached_property
    def predictor(self) -> Predictor:
        """The model, ready to predict."""
        return Predictor(self.folder)


class Run(RunFolder):
    """The folder that `fit` wrote."""

    @cached_property
    def verdict(self) -> Verdict:
        """Freeze or fine-tune? What to do, in a sentence, with its reasons."""
        record = self.records.get("verdict")
        if record is None:
            raise RunError(f"{self.folder} holds no verdict yet.", "Repeat the same `fit`: it goes on where it was.")
        names = ("kind", "sentence", "chosen", "best", "transfer")
        return Verdict(reasons=tuple(record.detail["reasons"]), **{name: record.detail[name] for name in names})

    @property
    def sources(self) -> tuple[Card, ...]:
        """The problem card of every earlier run's data with this run's; of those that could be compared."""
        return cards(self.records, self.folder)

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of the final model on the test part; empty where there was none."""
        record = self.records.get("test")
        return dict(record.metrics) if record else {}
