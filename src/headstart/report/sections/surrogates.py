"""A study of surrogate tasks: what each is worth with how many labels, from which cut, and what it learned."""

from __future__ import annotations

from statistics import mean
from typing import Any

from headstart.records import Journal
from headstart.report import wording
from headstart.report.charts import CutPoint, Series, lines_by_cut
from headstart.report.charts.sizes import Growing, SizePoint, lines_by_size
from headstart.report.reading import Run, total
from headstart.report.sections.figure import figure

WAYS = {"probe": "A linear probe on all cuts", "finetune": "Fine-tuned"}


def verdict(run: Run, journal: Journal) -> dict[str, Any]:
    """The first screen, or why there is none yet."""
    detail = run.verdict.detail if run.verdict else {}
    options = run.options
    cells = [
        {"name": "Surrogates", "value": wording.count(len(options["methods"])), "notes": [options["architecture"]]},
        {
            "name": "Images that each goes through",
            "value": wording.count(options["images"]),
            "notes": [wording.plural(options["repeats"], "repeat")],
        },
    ]
    if run.spent:
        cells.append({"name": "Time", "value": wording.seconds(total(run.spent, "total_s")), "notes": []})
    needed = {"the verdict": run.verdict, "what was spent": run.spent}
    return {
        "headline": str(detail.get("sentence") or "There is no verdict yet."),
        "advice": "",
        "kind": "",
        "reasons": list(detail.get("reasons") or []),
        "strip": cells,
        "transfer": None,
        "missing": [name for name, record in needed.items() if record is None],
    }


def worth(journal: Journal) -> dict[str, Any] | None:
    """Accuracy by labels of a class, of every network by each way; gains over random weights."""
    record = journal.get("verdict")
    if record is None:
        return None
    detail, parts = record.detail, []
    used = journal.of("judged")[0].detail["labels"]
    for way, by_labels in detail["means"].items():
        names = list(next(iter(by_labels.values())))
        series = [
            Growing(name, tuple(SizePoint(int(k), values[name], None, None) for k, values in by_labels.items()))
            for name in names
        ]
        title = f"{WAYS[way]}: accuracy by labels of a class"
        drawn = figure(
            lambda width, way=way, series=series, title=title: lines_by_size(  # type: ignore[misc]
                series, name=f"labels-{way}", title=title, width=width
            )
        )
        rows = [_row(name, by_labels, detail["gains"][way], random=detail["random"]) for name in names]
        parts.append(
            {
                "title": WAYS[way],
                "figure": drawn,
                "counts": [(k, wording.count(used[k])) for k in by_labels],
                "rows": rows,
            }
        )
    return {"parts": parts}


def _row(name: str, means: dict[str, Any], gains: dict[str, Any], *, random: str) -> dict[str, Any]:
    cells = []
    for k, values in means.items():
        gain = gains[k].get(name)
        ends = gain is not None and gain["low"] is not None
        told = f"{wording.signed(gain['low'])} to {wording.signed(gain['high'])}" if gain and ends else ""
        cells.append(
            {
                "value": wording.share(values[name]),
                "gain": wording.signed(gain["value"]) if gain else "",
                "ends": told,
                "shown": bool(gain and gain["shown"]),
            }
        )
    return {"name": name, "control": name == random, "cells": cells}


def depth(journal: Journal) -> dict[str, Any] | None:
    """A linear probe at each cut, with the most labels, mean over repeats."""
    judged = journal.of("judged")
    if not judged:
        return None
    most = max(judged[0].detail["probe"], key=int)
    series = []
    for name in dict.fromkeys(record.backbone for record in judged):
        rows = [record.detail["probe"][most] for record in judged if record.backbone == name]
        points = [
            CutPoint(cut, mean(one[cut] for one in rows), None, None, joined=cut == "all cuts") for cut in rows[0]
        ]
        series.append(Series(name, tuple(points)))
    title = f"Accuracy of a linear probe at each cut, with {most} labels a class"
    return {
        "figure": figure(lambda width: lines_by_cut(series, name="cuts", title=title, width=width)),
        "labels": most,
    }


def taught(run: Run, journal: Journal) -> dict[str, Any] | None:
    """How far each surrogate task was learned, what it took, and why these were tried."""
    learned = journal.of("learned")
    if not learned:
        return None
    rows = []
    for name in dict.fromkeys(record.strategy for record in learned):
        own = [record for record in learned if record.strategy == name]
        solved = [r.metrics["solved"] for r in own if r.metrics["solved"] is not None]
        rows.append(
            {
                "name": name,
                "solved": wording.share(mean(solved)) if solved else wording.MISSING,
                "chance": wording.share(mean(r.metrics["chance"] for r in own)),
                "collapsed": any(r.metrics.get("collapsed") for r in own),
                "images": wording.count(mean(r.cost["images"] for r in own)),
                "seconds": wording.seconds(mean(r.cost["seconds"] for r in own)),
            }
        )
    return {"rows": rows, "notes": run.plan.detail["notes"] if run.plan else []}
