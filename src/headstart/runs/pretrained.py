"""A finished pretraining, as Python sees it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from headstart.advice.pretraining import Pretrained
from headstart.errors import RunError
from headstart.runs.run import Recorded


class PretrainedRun(Recorded):
    """The folder that `pretrain` wrote: weights, records and the page."""

    @property
    def backbone(self) -> str:
        """Its name for `fit`, `rank` and all others that take a backbone."""
        return f"run:{self.folder}"

    @cached_property
    def verdict(self) -> Pretrained:
        """What was learned, and whether it helped."""
        record = self.records.get("verdict")
        if record is None:
            raise RunError(f"{self.folder} is not finished.", "Repeat the same `pretrain`: it goes on where it was.")
        detail = record.detail
        return Pretrained(detail["word"], detail["sentence"], tuple(detail["reasons"]))

    def to_json(self) -> dict[str, Any]:
        """The run as one document."""
        verdict, data, cuts, training, spent = (
            self.records.get(key) for key in ("verdict", "data", "cuts", "training", "spent")
        )
        return {
            "run": str(self.folder),
            "backbone": self.backbone,
            "report": str(self.report),
            "verdict": verdict.detail if verdict else None,
            "epochs": [record.metrics for record in self.records.of("epoch")],
            "probe": {**cuts.metrics, **cuts.detail} if cuts else None,
            "data": {**data.metrics, **data.detail} if data else None,
            "recipe": training.recipe if training else None,
            "spent": spent.detail if spent else None,
        }
