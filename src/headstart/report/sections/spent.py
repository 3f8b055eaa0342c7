"""What was spent where: the plan against the clock."""

from __future__ import annotations

from typing import Any

from headstart.report import wording
from headstart.report.charts import Bar, bars
from headstart.report.reading import Run, total
from headstart.report.sections.figure import figure


def section(run: Run) -> dict[str, Any] | None:
    """Planned and spent time of every stage; of an unfinished run the plan alone."""
    stages = list(run.spent.detail.get("stages") or []) if run.spent else []
    units = list(run.plan.detail.get("units") or []) if run.plan else []
    if not run.spent and not units:
        return None
    planned = [unit["seconds"] for unit in units if unit.get("seconds") is not None]
    rows = [_stage(stage) for stage in stages] or [_unit(unit) for unit in units]
    title = "Planned and spent time by stage" if stages else "Planned time by unit of work"
    budget = next((r.detail["budget_s"] for r in (run.spent, run.plan) if r and "budget_s" in r.detail), None)
    return {
        "figure": figure(lambda width: bars(rows, name="spent", title=title, width=width)) if rows else "",
        "stages": [
            {
                "name": str(stage.get("name")),
                "planned": wording.seconds(stage.get("planned_s")),
                "spent": wording.seconds(stage.get("spent_s")),
            }
            for stage in stages
        ],
        "total": wording.seconds(total(run.spent, "total_s")) if run.spent else "",
        "planned": wording.seconds(sum(planned)) if planned else "",
        "budget": wording.seconds(budget) if budget is not None else "",
        "peak": wording.size(total(run.spent, "peak_bytes")) if run.spent else "",
        "notes": [*(run.plan.detail.get("notes") or [] if run.plan else []), *_departures(run)],
    }


def _departures(run: Run) -> list[str]:
    """Where something was computed in another way than planned: an engine refused, no room for activations."""
    probed = dict.fromkeys(str(note) for r in (*run.rungs, *run.probed) if (note := r.detail.get("note")))
    last = [("Final model", run.final.detail.get("note"))] if run.final else []
    titled = [(wording.strategy(r.strategy, run.title(r.strategy)), r.detail.get("note")) for r in run.candidates]
    return [*probed, *(f"{title}: {note}" for title, note in titled + last if note)]


def _stage(stage: dict[str, Any]) -> Bar:
    spent, planned, name = stage.get("spent_s") or 0.0, stage.get("planned_s"), str(stage.get("name"))
    tip = f"{name}: {wording.seconds(spent)} spent, {wording.seconds(planned)} planned"
    return Bar(name, (spent,), wording.seconds(spent), tip, mark=planned)


def _unit(unit: dict[str, Any]) -> Bar:
    planned, name = unit.get("seconds") or 0.0, str(unit.get("name"))
    return Bar(name, (planned,), wording.seconds(planned), f"{name}: {wording.seconds(planned)} planned")
