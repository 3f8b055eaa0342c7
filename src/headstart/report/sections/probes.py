"""Where to cut: the screening of every cut of every backbone, then the competition of heads."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import CutPoint, Series, lines_by_cut
from headstart.report.reading import Run
from headstart.report.sections.figure import figure

SHOWN = 8
"""Heads in sight; the others fold out."""


def section(run: Run) -> dict[str, Any] | None:
    """The lines by cut and the table of heads; None before anything was probed."""
    probes = [record for record in run.probes if record.metrics.get("value") is not None]
    if not probes:
        return None
    screened = [record for record in probes if record.detail.get("screen")]
    heads = sorted((r for r in probes if not r.detail.get("screen")), key=lambda r: -r.metrics["value"])
    series = by_backbone(screened)
    title = f"{wording.metric(run.metric).capitalize()} of a ridge head at every cut, with 95 % intervals"
    return {
        "figure": figure(lambda width: lines_by_cut(series, name="cuts", title=title, width=width)) if series else "",
        "metric": wording.metric(run.metric),
        "heads": [_row(record, best=record is heads[0]) for record in heads[:SHOWN]],
        "more": [_row(record, best=False) for record in heads[SHOWN:]],
        "screened": [_row(record, best=False) for record in screened],
        "best": [{"backbone": one.name, "cut": one.best.cut, "value": wording.share(one.best.value)} for one in series],
        "joined": any(point.joined for one in series for point in one.points),
    }


def by_backbone(screened: list[Record]) -> list[Series]:
    """The screening as one series a backbone, in the order of the journal; joined cuts stand last."""
    names = dict.fromkeys(record.backbone for record in screened)
    return [
        Series(name, tuple(sorted((_point(r) for r in screened if r.backbone == name), key=lambda point: point.joined)))
        for name in names
    ]


def _point(record: Record) -> CutPoint:
    metrics = record.metrics
    return CutPoint(record.cut, metrics["value"], metrics.get("low"), metrics.get("high"), joined="+" in record.cut)


def _row(record: Record, *, best: bool) -> dict[str, Any]:
    penalty = record.recipe.get("penalty")
    return {
        "backbone": record.backbone,
        "cut": wording.cuts(record.cut),
        "head": str(record.recipe.get("head") or wording.MISSING).replace("_", " "),
        "penalty": f"{penalty:.3g}" if isinstance(penalty, int | float) else wording.MISSING,
        "value": wording.estimate(record.metrics),
        "seconds": wording.seconds(record.cost.get("seconds")),
        "best": best,
    }
