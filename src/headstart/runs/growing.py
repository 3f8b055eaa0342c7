"""Networks trained at growing numbers of labels: planned once, resumed, judged on the images of the frozen curve."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from headstart.advice import Plan
from headstart.advice.growth import Growth, plan_growth, trained_sizes, training_key
from headstart.advice.plan import Unit
from headstart.backbones import Backbone
from headstart.data import folds
from headstart.errors import RunError
from headstart.evidence.growing import Draw
from headstart.evidence.metrics import METRICS
from headstart.features import Features
from headstart.records import Record
from headstart.runs.calibrating import calibrate
from headstart.runs.candidates import probabilities
from headstart.runs.context import Context, Prepared
from headstart.runs.finetuning import Source, fine_tune
from headstart.runs.machine import give_back_memory, machine
from headstart.runs.probing import FOLDS, Probed, head_rows, rows_at
from headstart.shallow import screen
from headstart.strategies import TABLE, Strategy

WHAT = "growth"
"""The kind of the record ``plan`` of such a run."""


@dataclass(frozen=True, eq=False)
class Start:
    """What trainings start from: a network with its features, and the draws that they are judged by.

    Attributes
    ----------
    pool : images ``(n,)``, by number; `draws` are numbers of its rows.
    """

    backbone: Backbone
    features: Features
    pool: np.ndarray
    draws: Sequence[Draw]


def planned_growth(
    context: Context, prepared: Prepared, start: Start, *, sizes: Sequence[int], started: float
) -> Growth:
    """The record ``plan``: measured costs, and the trainings that the budget allows by them; replayed on resuming.

    Raises
    ------
    RunError : the images have changed since the plan was made.
    """
    record = context.journal.get("plan")
    if record is None:
        record = _plan_record(context, prepared, start, sizes=sizes, started=started)
        context.note(record)
    elif record.data != prepared.fingerprint:
        fact = f"The images or labels have changed since the run in {context.folder} was started."
        raise RunError(fact, "Choose another --out for the changed data.")
    told = record.detail
    return Growth(
        told["epochs"],
        tuple(told["sizes"]),
        told["replicates"],
        tuple(Unit(**unit) for unit in told["units"]),
        tuple(told["notes"]),
    )


def _plan_record(context: Context, prepared: Prepared, start: Start, *, sizes: Sequence[int], started: float) -> Record:
    options = context.options
    context.progress("measuring this machine", 0, 1)
    rows = [TABLE[options.strategy], TABLE["scratch"]]
    name = start.backbone.name
    costs = calibrate([name], rows, size=options.size, k=prepared.k, device=context.device)[name]
    give_back_memory()
    context.progress("measuring this machine", 1, 1)
    spent = time.perf_counter() - started
    growth = plan_growth(
        options.strategy,
        costs,
        seconds=options.budget - spent,
        sizes=trained_sizes(sizes, classes=prepared.k),
        replicates=len(start.draws),
        judged=max(len(draw.held) for draw in start.draws),
    )
    return Record(
        "plan",
        WHAT,
        data=prepared.fingerprint,
        backbone=name,
        strategy=options.strategy,
        seed=options.seed,
        cost={"seconds": spent},
        detail={
            "budget_s": options.budget,
            "options": options.to_json() | {"replicates": len(start.draws)},
            "epochs": dict(growth.epochs),
            "sizes": list(growth.sizes),
            "replicates": growth.replicates,
            "units": [asdict(unit) for unit in growth.units],
            "calibration": {"forward_s": costs.forward, "step_s": dict(costs.step)},
            "machine": machine(),
            "notes": list(growth.notes),
        },
    )


def grow(context: Context, prepared: Prepared, start: Start, growth: Growth) -> dict[str, list[list[Record]]]:
    """Train what is planned and not recorded yet → records of every strategy, by replicate and size, ascending."""
    order = [
        (n, replicate, row)
        for n in reversed(growth.sizes)
        for replicate in range(growth.replicates)
        for row in growth.epochs
    ]
    for n, replicate, row in order:
        if context.journal.get(training_key(row, n, replicate)) is None:
            context.note(_train(context, prepared, start, growth, row=TABLE[row], n=n, replicate=replicate))
            for path in (context.folder / "work").glob("*.safetensors"):
                path.unlink(missing_ok=True)
            give_back_memory()
    return {
        row: [[_recorded(context, training_key(row, n, i)) for n in growth.sizes] for i in range(growth.replicates)]
        for row in growth.epochs
    }


def _recorded(context: Context, key: str) -> Record:
    record = context.journal.get(key)
    assert record is not None
    return record


def _train(
    context: Context, prepared: Prepared, start: Start, growth: Growth, *, row: Strategy, n: int, replicate: int
) -> Record:
    """One training on the first n of a replicate's draw, judged on the images that the draw holds back.

    Each replicate has a seed of its own: how much a training depends on it is in the spread over replicates, too.
    """
    begun, options = time.perf_counter(), context.options
    where = f"{n:,} labels, {replicate + 1} of {growth.replicates}"
    own = replace(
        context,
        options=replace(options, seed=(options.seed + replicate) % 2**32),
        progress=lambda stage, done, total: context.progress(f"{stage}: {where}", done, total),
    )
    draw = start.draws[replicate]
    sample, held = np.sort(start.pool[draw.order[:n]]), start.pool[draw.held]
    name = f"{row.name}-{n}-{replicate}"
    trained = fine_tune(
        own,
        prepared,
        _plan_of_one(start.backbone.name, row.name, growth.epochs[row.name]),
        row=row,
        source=_source(own, prepared, start, sample),
        indices=sample,
        checkpoint=context.folder / "work" / f"{name}.safetensors",
    )
    predicted = probabilities(own, prepared, trained.model, held).argmax(axis=1)
    assert trained.curve is not None
    return Record(
        training_key(row.name, n, replicate),
        "training",
        data=prepared.fingerprint,
        part="folds",
        backbone=trained.model.backbone.name,
        cut=trained.model.frozen,
        strategy=row.name,
        seed=own.options.seed,
        recipe=trained.recipe,
        metrics={"value": float(METRICS["accuracy"](prepared.y[held], predicted)), "n": len(held)},
        cost={"seconds": time.perf_counter() - begun, "epochs": trained.curve.epoch, "images": trained.images},
        detail={"labels": n, "replicate": replicate, "title": row.title, "curves": [trained.curve.to_json()]},
    )


def _plan_of_one(backbone: str, row: str, epochs: int) -> Plan:
    """One training of the whole network on images: no activations are stored, no rates are tried."""
    return Plan(None, {backbone: {row: epochs}}, {backbone: {row: 0}}, {backbone: {row: 1}}, units=(), notes=())


def _source(context: Context, prepared: Prepared, start: Start, sample: np.ndarray) -> Source:
    """The head to start from is a ridge on the top cut, its penalty chosen out of fold in the sample itself."""
    rows = head_rows(prepared, start.features, sample, memory=context.options.memory)
    y, groups = prepared.y[rows], prepared.groups[rows]
    parts = folds(y, groups, min(FOLDS, len(np.unique(groups))), seed=context.options.seed)
    [ridge] = screen(rows_at(start.features, prepared, rows, ["top"]), y, parts)
    probed = Probed(ridge, ridge, (ridge,), ())
    return Source(start.backbone.name, start.backbone.architecture, start.features, probed)
