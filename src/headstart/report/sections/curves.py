"""How the fine-tuned candidates trained: their losses, the epoch kept, why they stopped."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import Curve, Losses, Sweep, Sweeps, loss_curves, rate_sweeps
from headstart.report.reading import Run
from headstart.report.sections.figure import figure

SWEEPS = "Change of the loss while the learning rate rose"


def section(run: Run) -> dict[str, Any] | None:
    """The curves of every trained candidate, and of the final model where that was trained anew."""
    trained = [(_title(run, record), record) for record in run.candidates]
    if run.final and run.final.detail.get("refit"):
        trained.append(("Final model, trained anew", run.final))
    losses = [(Losses(title, curves), record) for title, record in trained if (curves := _curves(record))]
    if not losses:
        return None
    drawn = [one for one, _ in losses]
    found = [Sweeps(one.title, sweeps) for one, record in losses if (sweeps := _sweeps(record))]
    title = "Training and inner-validation loss by epoch"
    return {
        "figure": figure(lambda width: loss_curves(drawn, name="losses", title=title, width=width)),
        "sweeps": figure(lambda width: rate_sweeps(found, name="sweeps", title=SWEEPS, width=width)) if found else "",
        "rows": [_row(one.title, record) for one, record in losses],
        "replicates": any(len(one.curves) > 1 for one in drawn),
    }


def _sweeps(record: Record) -> tuple[Sweep, ...]:
    return tuple(
        Sweep(tuple(zip(sweep["rates"], sweep["changes"], strict=True)), sweep["suggested"])
        for sweep in record.detail.get("sweeps") or []
        if sweep["rates"]
    )


def _title(run: Run, record: Record) -> str:
    return wording.strategy(record.strategy, run.title(record.strategy))


def _curves(record: Record) -> tuple[Curve, ...]:
    return tuple(
        Curve(tuple((p["epoch"], p.get("train_loss"), p.get("loss")) for p in curve["points"]), curve.get("best_epoch"))
        for curve in record.detail.get("curves") or []
        if curve.get("points")
    )


def _row(title: str, record: Record) -> dict[str, Any]:
    curves = [curve for curve in record.detail["curves"] if curve.get("points")]
    kept = [f"{curve['best_epoch']:g}" for curve in curves if curve.get("best_epoch") is not None]
    reasons = dict.fromkeys(wording.stopped(curve.get("stopped")) for curve in curves)
    return {
        "title": title,
        "control": record.strategy in wording.CONTROLS,
        "kept": _each(kept),
        "epochs": _each([str(curve["points"][-1]["epoch"]) for curve in curves]),
        "stopped": "; ".join(reasons),
        "improving": _improving(curves),
        "tried": _tried(record),
        "found": _found(record),
    }


def _tried(record: Record) -> str:
    """How many learning rates and decays were tried together, and which ones were kept."""
    replicates = [trials for trials in record.detail.get("trials") or [] if trials]
    if not replicates:
        return ""
    kept = [min(trials, key=lambda trial: trial["loss"]) for trials in replicates]
    rates = _each([f"{trial['lr']:.2g} (decay {trial['weight_decay']:.2g})" for trial in kept])
    return f"of {len(replicates[0])} learning rates and decays tried together {rates} was kept"


def _found(record: Record) -> str:
    """The learning rate that was found before each training, or that none was."""
    sweeps = record.detail.get("sweeps") or []
    if not sweeps:
        return ""
    rates = [f"{sweep['suggested']:.2g}" if sweep["suggested"] is not None else "the recipe's" for sweep in sweeps]
    return f"learning rate found before: {_each(rates)}"


def _each(numbers: list[str]) -> str:
    """One number a replicate, or the one that they share."""
    return ", ".join(numbers if len(set(numbers)) > 1 else numbers[:1]) or wording.MISSING


def _improving(curves: list[dict[str, Any]]) -> str:
    """Says so where the lowest inner-validation loss is that of the last epoch: more epochs might have helped."""
    rising = sum(_lowest_last([p["loss"] for p in c["points"] if p.get("loss") is not None]) for c in curves)
    if not rising:
        return ""
    of = f" in {rising} of {len(curves)} replicates" if len(curves) > 1 else ""
    return f"still improving at its last epoch{of}"


def _lowest_last(losses: list[float]) -> bool:
    return len(losses) > 1 and losses[-1] < min(losses[:-1])
