"""A finished study of transferability, as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headstart.advice.transferability import Finding
from headstart.records import Record
from headstart.runs.run import Recorded


@dataclass(frozen=True)
class TransferabilityStudy(Recorded):
    """The folder that `study.transferability` wrote.

    Attributes
    ----------
    planned : the record of the plan where nothing else was asked for; the folder is then not written.
    """

    planned: Record | None = None

    @property
    def plan(self) -> dict[str, Any]:
        """Which networks are trained, and what each stage takes."""
        record = self.planned or self.records.get("plan")
        return record.detail if record else {}

    @property
    def sentence(self) -> str:
        """What holds of the paper's findings."""
        record = self.records.get("verdict")
        return str(record.detail["sentence"]) if record else ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One by one, with intervals."""
        record = self.records.get("verdict")
        return tuple(Finding(**one) for one in record.detail["findings"]) if record else ()

    def to_json(self) -> dict[str, Any]:
        """The study as one document."""
        verdict, spent = self.records.get("verdict"), self.records.get("spent")
        return {
            "study": str(self.folder),
            "report": str(self.report),
            "plan": self.plan,
            "halves": [
                {"kind": r.strategy, "seed": r.seed, **r.metrics, **r.detail} for r in self.records.of("halves")
            ],
            "cells": [
                # `n` is the number of layers kept; a record's metrics have a number of images by that name.
                {**r.detail, "value": r.metrics["value"], "judged": r.metrics["n"], **r.cost}
                for r in self.records.of("cell")
            ],
            "verdict": verdict.detail if verdict else None,
            "spent": spent.detail if spent else None,
        }
