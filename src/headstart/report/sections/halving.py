"""Which networks were left: every rung of the halving, with what became of each network, and why."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import Dot, dots_with_intervals
from headstart.report.reading import Run
from headstart.report.sections.figure import figure


def section(run: Run) -> dict[str, Any] | None:
    """A chart and a table a rung; None where there were so few networks that all were compared on all images."""
    if not run.rungs:
        return None
    return {
        "metric": wording.metric(run.metric),
        "level": f"{100 * run.rungs[0].detail['level']:.0f} %",
        "rungs": [_rung(run, record) for record in run.rungs],
    }


def _rung(run: Run, record: Record) -> dict[str, Any]:
    networks = record.detail["networks"]
    title = f"{wording.metric(run.metric).capitalize()} of a ridge head at the best cut, with 95 % intervals"
    dots = [_dot(one) for one in networks]
    return {
        "title": f"{len(networks)} networks on {wording.plural(record.metrics['n'], 'image')}",
        "figure": figure(
            lambda width: dots_with_intervals(dots, name=record.key.replace("/", "-"), title=title, width=width)
        ),
        "rows": [_row(one) for one in networks],
        "note": wording.halved([one["fate"] for one in networks]),
    }


def _dot(one: dict[str, Any]) -> Dot:
    value, low, high = (one["metrics"][name] for name in ("value", "low", "high"))
    return Dot(one["backbone"], value, low, high, dropped=one["fate"] != "left")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    d = one["to_best"]
    return {
        "backbone": one["backbone"],
        "cut": wording.cuts(one["cut"]),
        "value": wording.estimate(one["metrics"]),
        "difference": wording.points(d["difference"], d["low"], d["high"], unit="") if d else "the best",
        "fate": wording.FATES[one["fate"]],
        "left": one["fate"] == "left",
    }
