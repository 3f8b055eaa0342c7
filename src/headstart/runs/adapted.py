"""A finished adaptation, as Python sees it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from headstart.advice.adaptation_verdict import Choice
from headstart.errors import RunError
from headstart.runs.run import RunFolder


class AdaptedRun(RunFolder):
    """The folder that `adapt` wrote."""

    @cached_property
    def verdict(self) -> Choice:
        """Which method is handed back, whether adapting helps, and what that rests on."""
        record = self.records.get("verdict")
        if record is None:
            raise RunError(f"{self.folder} holds no verdict yet.", "Repeat the same `adapt`: it goes on where it was.")
        detail = record.detail
        return Choice(
            chosen=detail["chosen"],
            transfer=detail["transfer"],
            sentence=detail["sentence"],
            reasons=tuple(detail["reasons"]),
            rests_on=detail["rests_on"],
        )

    @property
    def oracle(self) -> dict[str, dict[str, Any]]:
        """By method, the metric on the judged images by their labels; empty unless they were asked for."""
        return {record.strategy: dict(record.metrics) for record in self.records.of("oracle")}

    def to_json(self) -> dict[str, Any]:
        """The run as one document."""
        keys = ("verdict", "domains", "start", "spent", "final", "oracle/final", "oracle/left_out")
        verdict, domains, start, spent, final, truth, unknown = (self.records.get(key) for key in keys)
        return {
            "run": str(self.folder),
            "report": str(self.report),
            "verdict": verdict.detail if verdict else None,
            "methods": [
                {"method": r.strategy, "cut": r.cut, "recipe": r.recipe, **r.metrics, "few": r.detail["few"], **r.cost}
                for r in self.records.of("method")
            ],
            "oracle": self.oracle,
            "oracle_left_out": {**unknown.metrics, **unknown.detail} if unknown else None,
            "handed_back": {"agreement": final.metrics["agreement"], "oracle": truth.metrics if truth else None}
            if final
            else None,
            "start": {"cut": start.cut, **start.recipe, **start.metrics} if start else None,
            "domains": {**domains.metrics, **domains.detail["parts"]} if domains else None,
            "spent": spent.detail if spent else None,
        }
