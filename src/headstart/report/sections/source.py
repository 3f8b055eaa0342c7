"""What the earlier runs are to this one: the problem card of their images and labels and of its own."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.comparison import Compared
from headstart.report.reading import Run
from headstart.report.sections import comparison


def section(run: Run) -> dict[str, Any] | None:
    """A problem card for each earlier run, drawn as `headstart compare` draws it; None without one."""
    if not run.sources:
        return None
    tolerance = wording.setting(run.sources[0].detail["tolerance"])
    return {"tolerance": tolerance, "cards": [_card(run, record) for record in run.sources]}


def _card(run: Run, record: Record) -> dict[str, Any]:
    facts: dict[str, Any] = {"run": record.detail["run"], "note": record.detail["note"], "backbone": record.backbone}
    if facts["note"]:
        return facts
    found = _compared(run, record)
    return facts | {
        "verdict": comparison.verdict.section(found),
        "shift": comparison.shift.section(found),
        "giveaways": comparison.giveaways.section(found),
        "classes": comparison.classes.section(found),
        "methods": comparison.methods.section(found),
    }


def _compared(run: Run, record: Record) -> Compared:
    """The records of one card among those of the run."""
    prefix = f"{record.key}/"
    parts = {key.removeprefix(prefix): one for key, one in run.source_parts.items() if key.startswith(prefix)}
    asked = {"plan": {"options": {"tolerance": record.detail["tolerance"]}}}
    return Compared(run.folder, parts | asked, record.data, mark=record.key.replace("/", "-") + "-")
