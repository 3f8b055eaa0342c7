"""A finished study of surrogate tasks, as Python sees it."""

from __future__ import annotations

from typing import Any

from headstart.runs.run import Recorded


class SurrogateStudy(Recorded):
    """The folder that `study.surrogates` wrote; each surrogate's networks lie in its ``pretrained/``."""

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
