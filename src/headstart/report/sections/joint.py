"""Several tasks on one network: the verdict, and every task under every way."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import Dot, dots_with_intervals
from headstart.report.reading import Run, total
from headstart.report.sections.figure import figure

WAYS = {"frozen": "Frozen", "alone": "Trained alone", "joint": "Trained together"}
EFFECTS = {"helps": "helps", "neutral": "neutral", "hurts": "hurts", "cannot_tell": "cannot tell"}


def verdict(run: Run, costs: Record | None) -> dict[str, Any]:
    """The first screen, or why there is none yet."""
    detail = run.verdict.detail if run.verdict else {}
    headline, stop, advice = str(detail.get("sentence") or "There is no verdict yet.").partition(". ")
    needed = {"the verdict": run.verdict, "what was spent": run.spent}
    return {
        "headline": headline + stop.strip(),
        "advice": advice,
        "kind": {"frozen": "Freeze", "joint": "Train together"}.get(run.chosen, ""),
        "reasons": list(detail.get("reasons") or []),
        "strip": [cell for cell in (_tested(run), _network(run), _cost(run, costs), _time(run)) if cell],
        "transfer": None,
        "missing": [name for name, record in needed.items() if record is None],
    }


def ways(run: Run, costs: Record | None) -> dict[str, Any] | None:
    """The chart and the table of tasks and ways, and what separate networks would take."""
    if run.verdict is None or run.data is None:
        return None
    values = {(way, one["task"]): one for way, one in _values(run)}
    dots = [
        Dot(f"{task['name']}: {title.lower()}", one["value"], one["low"], one["high"], chosen=way == run.chosen)
        for task in run.data.detail["tasks"]
        for way, title in WAYS.items()
        if (one := values.get((way, task["name"])))
    ]
    title = f"{wording.metric(run.metric).capitalize()} of every task, with 95 % intervals"
    tested = {one["task"]: one for one in run.test.detail["tasks"]} if run.test else {}
    return {
        "figure": figure(lambda width: dots_with_intervals(dots, name="ways", title=title, width=width)),
        "metric": wording.metric(run.metric),
        "titles": [{"title": title, "chosen": way == run.chosen} for way, title in WAYS.items()],
        "rows": [_row(run, task, values, tested) for task in run.data.detail["tasks"]],
        "tested": bool(tested),
        "mean": wording.points(*(run.verdict.detail["mean"][end] for end in ("value", "low", "high"))),
        "level": f"{100 * run.verdict.detail['level']:.0f} %",
        "margin": wording.signed(run.verdict.detail["margin"]).lstrip("+"),
        "costs": _costs(run, costs),
        "timed": costs.detail["timed"] if costs else 0,
    }


def _values(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """Way and result of every task."""
    return [(record.strategy.partition("/")[0], one) for record in run.candidates for one in record.detail["tasks"]]


def _row(
    run: Run, task: dict[str, Any], values: dict[tuple[str, str], dict[str, Any]], tested: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    assert run.verdict is not None
    name = task["name"]
    (found,) = (one for one in run.verdict.detail["found"] if one["name"] == name)
    word = run.verdict.detail["tasks"][name]
    return {
        "name": name,
        "classes": wording.plural(task["classes"], "class"),
        "labels": wording.count(task["train"]),
        "cells": [{**_share(values[way, name]), "chosen": way == run.chosen} for way in WAYS],
        "differences": [
            _points(found["over_alone"]) | {"word": word, "effect": EFFECTS[word]},
            _points(found["over_frozen"]) | {"word": "", "effect": ""},
        ],
        "test": _share(tested[name]) if name in tested else None,
    }


def _share(found: dict[str, Any]) -> dict[str, str]:
    return {"value": wording.share(found["value"]), "ends": wording.interval(found["low"], found["high"])}


def _points(difference: dict[str, float | None]) -> dict[str, str]:
    value, low, high = (difference[end] for end in ("value", "low", "high"))
    ends = "" if low is None else f"{wording.signed(low)} to {wording.signed(high)}"
    return {"value": wording.signed(value), "ends": ends}


def _costs(run: Run, costs: Record | None) -> list[dict[str, Any]]:
    if costs is None:
        return []
    one, n = costs.metrics["one"], costs.detail["networks"]
    named = [("frozen", "One network as it came"), ("joint", "One network, trained together")]
    rows = [(title, one[way], way == run.chosen) for way, title in named]
    rows.append((f"{n} networks, one a task", costs.metrics["separate"], False))
    return [
        {
            "title": title,
            "chosen": chosen,
            "parameters": wording.short(found["parameters"]),
            "seconds": wording.seconds(found["seconds"]),
        }
        for title, found, chosen in rows
    ]


def _tested(run: Run) -> dict[str, Any] | None:
    if run.test is None:
        return None
    notes = [f"{one['task']} {wording.estimate(one)}" for one in run.test.detail["tasks"]]
    notes.append(f"{wording.plural(run.test.metrics['n'], 'image')}, read once")
    return {
        "name": f"Test {wording.metric(run.metric)}, mean over tasks",
        "value": wording.share(run.test.metrics["value"]),
        "notes": notes,
    }


def _network(run: Run) -> dict[str, Any] | None:
    record = next((one for one in run.candidates if one.strategy == run.chosen), None)
    if record is None:
        return None
    heads = wording.plural(len(record.detail["tasks"]), "head")
    kept = "as it came" if record.cut else "every layer trained for all tasks"
    return {
        "name": "Handed back",
        "value": record.backbone.rpartition("/")[2],
        "notes": [f"one network, {heads}", kept],
    }


def _cost(run: Run, costs: Record | None) -> dict[str, Any] | None:
    if costs is None or run.chosen not in costs.metrics["one"]:
        return None
    one, separate = costs.metrics["one"][run.chosen], costs.metrics["separate"]
    return {
        "name": "A hundred images",
        "value": wording.seconds(one["seconds"]),
        "notes": [
            f"{wording.short(one['parameters'])} parameters",
            f"{costs.detail['networks']} separate networks: {wording.seconds(separate['seconds'])}, "
            f"{wording.short(separate['parameters'])}",
        ],
    }


def _time(run: Run) -> dict[str, Any] | None:
    if run.spent is None:
        return None
    notes = [f"at most {wording.size(total(run.spent, 'peak_bytes'))} of memory"]
    return {"name": "Time spent", "value": wording.seconds(total(run.spent, "total_s")), "notes": notes}
