"""A finished run over several tasks, as Python sees it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from headstart.advice.joint import Joined
from headstart.errors import RunError
from headstart.runs.run import RunFolder


class JointRun(RunFolder):
    """The folder that `joint` wrote."""

    @cached_property
    def verdict(self) -> Joined:
        """Whether one network is trained for all tasks, and what that does to each of them."""
        record = self.records.get("verdict")
        if record is None:
            raise RunError(f"{self.folder} holds no verdict yet.", "Repeat the same `joint`: it goes on where it was.")
        detail = record.detail
        return Joined(detail["chosen"], detail["tasks"], detail["sentence"], tuple(detail["reasons"]))

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """By task, the metric of what is handed back on the test part; empty where there was none."""
        record = self.records.get("test")
        return (
            {one["task"]: {k: v for k, v in one.items() if k != "task"} for one in record.detail["tasks"]}
            if record
            else {}
        )

    def to_json(self) -> dict[str, Any]:
        """The run as one document."""
        verdict, data, costs, spent = (self.records.get(key) for key in ("verdict", "data", "costs", "spent"))
        return {
            "run": str(self.folder),
            "report": str(self.report),
            "verdict": verdict.detail if verdict else None,
            "test": self.metrics,
            "ways": [
                {"way": r.strategy, "tasks": r.detail["tasks"], "recipe": r.recipe, **r.metrics, **r.cost}
                for r in self.records.of("candidate")
            ],
            "costs": costs.metrics if costs else None,
            "data": {**data.metrics, "tasks": data.detail["tasks"]} if data else None,
            "spent": spent.detail if spent else None,
        }
