"""The plan of a run as a record: made once from a calibration, replayed whenever the run is resumed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from headstart.advice import Calibration, Plan, Rung, Unit, make_plan, plan_races
from headstart.backbones import load
from headstart.backbones.adapters import no_peft
from headstart.errors import OptionError
from headstart.records import Record
from headstart.runs.calibrating import calibrate
from headstart.runs.context import Context, Prepared
from headstart.runs.machine import give_back_memory, machine
from headstart.runs.options import Options
from headstart.runs.sources import planned_sources
from headstart.strategies import Strategy, asked_for


def planned(
    context: Context, prepared: Prepared, rows: Sequence[Strategy], *, started: float, sources: Sequence[str] = ()
) -> Record:
    """The record ``plan``: some seconds of measuring, and what the budget allows by them.

    Parameters
    ----------
    sources : folders of the earlier runs that the images are compared with at the end.
    """
    options, split = context.options, prepared.split
    rows, left_out = _possible(rows, options)
    calibrations = _measured(context, prepared, rows)
    cards, no_time = planned_sources(sources, calibrations, budget=options.budget)
    spent = time.perf_counter() - started
    counts = (len(split.train), len(split.val), len(split.test))
    plan = make_plan(
        rows,
        calibrations,
        budget=options.budget,
        spent=spent,
        counts=counts,
        classes=prepared.k,
        find_rate=options.rate == "find",
        last=cards,
    )
    plan = replace(plan, notes=(*left_out, *plan.notes, *no_time))
    record = _plan_record(context, plan, calibrations, spent=spent)
    if sources:
        record.detail["sources"] = list(sources)
    return record


def _possible(rows: Sequence[Strategy], options: Options) -> tuple[Sequence[Strategy], tuple[str, ...]]:
    """Rows for which this machine and every backbone have what they need, and sentences about the others.

    Raises
    ------
    OptionError : a strategy that was asked for by its name is not among them.
    """
    notes = tuple(f"Not tried: {row.title}. {no_peft().fact} {no_peft().remedy}" for row in rows if not row.at_hand)
    rows = [row for row in rows if row.at_hand]
    needing = [row for row in rows if row.needs_classifier]
    names = options.backbones if needing else ()
    without = [name for name in names if load(name, size=options.size).classifier() is None]
    if not without:
        return rows, notes
    fact = f"{', '.join(without)} {'has' if len(without) == 1 else 'have'} no classifier of the source"
    if named := set(asked_for(options.strategy)) & {row.name for row in needing}:
        remedy = "Choose a backbone that has one, e.g. a packaged one, or another --strategy."
        raise OptionError(
            f"--strategy {', '.join(sorted(named))} goes on training the source's classifier, but {fact}.", remedy
        )
    notes += tuple(f"Not tried, since {fact}: {row.title}." for row in needing)
    return [row for row in rows if not row.needs_classifier], notes


def planned_races(
    context: Context, prepared: Prepared, row: Strategy, *, races: int, scored: int, started: float
) -> Record:
    """The record ``plan`` of a back-test: as many epochs for every network as the budget allows."""
    calibrations, options, split = _measured(context, prepared, [row]), context.options, prepared.split
    spent = time.perf_counter() - started
    plan = plan_races(
        row.name,
        calibrations,
        races=races,
        budget=options.budget,
        spent=spent,
        counts=(len(split.train), len(split.val), scored),
        classes=prepared.k,
    )
    return replace(_plan_record(context, plan, calibrations, spent=spent), what="ranking")


def _measured(context: Context, prepared: Prepared, rows: Sequence[Strategy]) -> dict[str, Calibration]:
    options = context.options
    context.progress("measuring this machine", 0, 1)
    calibrations = calibrate(options.backbones, rows, size=options.size, k=prepared.k, device=context.device)
    give_back_memory()
    context.progress("measuring this machine", 1, 1)
    return calibrations


def _plan_record(context: Context, plan: Plan, calibrations: dict[str, Calibration], *, spent: float) -> Record:
    units = [Unit("start", "reading the images, measuring the machine", spent), *plan.units]
    return Record(
        "plan",
        "plan",
        seed=context.options.seed,
        cost={"seconds": spent},
        detail={
            "budget_s": context.options.budget,
            "options": context.options.to_json(),
            "units": [asdict(unit) for unit in units],
            "folds": plan.folds,
            "epochs": plan.epochs,
            "views": plan.views,
            "trials": plan.trials,
            "repeats": plan.repeats,
            "rungs": [asdict(rung) for rung in plan.rungs],
            "calibration": {name: _calibration(c) for name, c in calibrations.items()},
            "precision": "float32",
            "device": context.device.type,
            "threads": torch.get_num_threads(),
            "machine": machine(),
            "notes": list(plan.notes),
        },
    )


def plan_of(record: Record) -> Plan:
    """The plan that a record holds."""
    detail = record.detail
    units = tuple(Unit(**unit) for unit in detail["units"])
    return Plan(
        *(detail["folds"], detail["epochs"], detail["views"], detail["trials"]),
        units=units,
        notes=tuple(detail["notes"]),
        repeats=detail["repeats"],
        # A plan that was made before there were rungs had every network compared on all images: so it goes on.
        rungs=tuple(Rung(**rung) for rung in detail.get("rungs", ())),
    )


def _calibration(c: Calibration) -> dict[str, Any]:
    above = {row: {"lower_s": a.lower, "step_s": a.step, "bytes": a.bytes} for row, a in c.above.items()}
    return {"forward_s": c.forward, "step_s": dict(c.step), "heads_s": c.heads, "above": above}
