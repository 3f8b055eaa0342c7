"""Freeze or fine-tune: the finalists side by side, the controls marked as controls."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import Dot, dots_with_intervals
from headstart.report.reading import Run, block_of, difference
from headstart.report.sections.figure import figure


def section(run: Run) -> dict[str, Any] | None:
    """The chart and the table of the candidates, best first, controls last."""
    records = [r for r in run.candidates if r.metrics.get("value") is not None]
    if not records:
        return None
    records.sort(key=lambda r: (r.strategy in wording.CONTROLS, -r.metrics["value"]))
    title = f"{wording.metric(run.metric).capitalize()} of the candidates, with 95 % intervals"
    dots = [_dot(run, record) for record in records]
    verdict = run.verdict.detail if run.verdict else {}
    return {
        "figure": figure(lambda width: dots_with_intervals(dots, name="candidates", title=title, width=width)),
        "metric": wording.metric(run.metric),
        "where": _where(run, records),
        "rows": [_row(run, record) for record in records],
        "steps": [_step(run, step) for step in verdict.get("ladder") or []],
        "level": f"{100 * verdict['level']:.0f} %" if verdict.get("level") is not None else "",
        "controls": any(record.strategy in wording.CONTROLS for record in records),
        "compared": bool(verdict.get("comparisons")),
        "margin": wording.signed(verdict["margin"]).lstrip("+") if verdict.get("margin") is not None else "",
    }


def _step(run: Run, step: dict[str, Any]) -> dict[str, str]:
    """One step of the ladder: what it brings over the cheaper one below it, and what it takes."""
    dearer, cheaper = (wording.strategy(step[side], run.title(step[side])) for side in ("a", "b"))
    gain = wording.points(step["difference"], step["low"], step["high"], unit="")
    took = next((record.cost.get("seconds") for record in run.candidates if record.strategy == step["a"]), None)
    return {"to": dearer, "from": cheaper, "gain": gain, "seconds": wording.seconds(took)}


def _where(run: Run, records: list[Record]) -> str:
    if all(record.part == "folds" for record in records):
        times = {1: "", 2: ", drawn twice"}.get(run.repeats, f", drawn {run.repeats} times")
        return f"out of fold over {run.folds} folds{times}" if run.folds else "out of fold"
    return "on the " + " and ".join(sorted({wording.PARTS.get(r.part, r.part) for r in records}))


def _dot(run: Run, record: Record) -> Dot:
    return Dot(
        label=wording.strategy(record.strategy, run.title(record.strategy)),
        value=record.metrics["value"],
        low=record.metrics.get("low"),
        high=record.metrics.get("high"),
        control=record.strategy in wording.CONTROLS,
        chosen=record.strategy == run.chosen,
    )


def _row(run: Run, record: Record) -> dict[str, Any]:
    trainable, parameters = record.detail.get("trainable"), record.detail.get("parameters")
    paired = difference(run.verdict, record.strategy, run.chosen)
    return {
        "title": wording.strategy(record.strategy, run.title(record.strategy)),
        "place": wording.place(record.backbone, block_of(record) or record.cut),
        "chosen": record.strategy == run.chosen,
        "best": run.verdict is not None and record.strategy == run.verdict.detail.get("best"),
        "control": record.strategy in wording.CONTROLS,
        "dropped": str(record.detail.get("dropped") or ""),
        "value": wording.estimate(record.metrics),
        "log_loss": wording.decimal(record.metrics.get("log_loss")),
        "difference": wording.points(*paired, unit="") if paired else wording.MISSING,
        "seconds": wording.seconds(record.cost.get("seconds")),
        "epochs": wording.count(record.cost.get("epochs")) if record.cost.get("epochs") else wording.MISSING,
        "trainable": wording.fraction(trainable, parameters),
        "trainable_count": _of(trainable, parameters),
    }


def _of(trainable: float | None, parameters: float | None) -> str:
    return (
        "" if trainable is None or parameters is None else f"{wording.short(trainable)} of {wording.short(parameters)}"
    )
