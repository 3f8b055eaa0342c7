"""A finished study of surrogate tasks, as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headstart.records import Journal


@dataclass(frozen=True)
class SurrogateStudy:
    """The folder that `study.surrogates` wrote; each surrogate's networks lie in its ``pretrained/``."""

    folder: Path

    @cached_property
    def records(self) -> Journal:
        """Everything that was measured."""
        return Journal(self.folder / "records.jsonl")

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def sentence(self) -> str:
        """Which surrogates are worth it."""
        record = self.records.get("verdict")
        return str(record.detail["sentence"]) if record else ""

    def to_json(self) -> dict[str, Any]:
        """The study as one document."""
        verdict, spent = self.records.get("verdict"), self.records.get("spent")
        learned = [{"by": r.strategy, "seed": r.seed, **r.metrics, **r.cost} for r in self.records.of("learned")]
        judged = [{"network": r.backbone, "seed": r.seed, **r.metrics, **r.detail} for r in self.records.of("judged")]
        return {
            "study": str(self.folder),
            "report": str(self.report),
            "verdict": verdict.detail if verdict else None,
            "learned": learned,
            "judged": judged,
            "spent": spent.detail if spent else None,
        }
