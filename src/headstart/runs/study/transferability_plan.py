"""The plan of a study of transferability: the first record, from a look at the halves and a short calibration."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from statistics import mean

import numpy as np

from headstart.backbones import load_random
from headstart.data import Split
from headstart.data.batches import batches_of
from headstart.errors import OptionError
from headstart.records import Record
from headstart.runs.context import Context
from headstart.runs.machine import machine
from headstart.runs.study.laboratory import Laboratory
from headstart.runs.study.scheduling import cuts_of, schedule
from headstart.runs.study.tasks import halved
from headstart.runs.study.timing import Trial, calibrate

Means = Callable[[], np.ndarray]
"""Gives the mean features of each class, (k, d)."""
BATCH, ENOUGH = 64, 500
"""Images of a step, half as many where a half has fewer than so many to train on."""
STAGES = {
    "rates": "choosing the learning rate",
    "bases": "the bases",
    "cells": "the networks that were given layers",
    "inside": "looking into the networks",
}


def plan_record(context: Context, lab: Laboratory, means: Means) -> Record:
    """What is going to be trained, from a short calibration; the first record."""
    options, started = lab.options, time.perf_counter()
    cuts = cuts_of(load_random(options.architecture, size=options.size, seed=0), options.cuts)
    parts = lab.parts(options.seed)
    halves = [halved(lab, split, seed=options.seed, means=means) for split in options.splits]
    every = [lab.sides(parts, one.of(half), labels=0, seed=options.seed) for one in halves for half in "AB"]
    fewest = min(len(sides.train) for sides in every)
    batch = BATCH if fewest >= ENOUGH else BATCH // 2
    steps = batches_of(round(mean(len(sides.train) for sides in every)), batch)
    context.progress("timing a few steps", 0, 1)
    costs = calibrate(lab, Trial(every[0], batch, tuple(cuts)), jobs=options.jobs)
    context.progress("timing a few steps", 1, 1)
    found = schedule(options, costs, every[0], cuts, steps=steps, batch=batch)
    found = replace(found, notes=(*found.notes, *_few(lab, parts)))
    units = [{"key": key, "name": STAGES[key], "seconds": found.seconds.get(key)} for key in STAGES]
    detail = {
        "options": options.to_json(),
        **asdict(found),
        "units": units,
        "networks": {"bases": len(found.bases), "cells": len(found.cells)},
        "budget_s": options.budget,
        "calibration": {"step_s": costs.step, "forward_s": costs.forward, "epoch_s": costs.epoch, "made_s": costs.made},
        "machine": machine(),
    }
    cost = {"seconds": time.perf_counter() - started}
    return Record("plan", "transferability", data=lab.fingerprint, seed=options.seed, cost=cost, detail=detail)


def _few(lab: Laboratory, parts: Split) -> tuple[str, ...]:
    """Whether classes have as many labels as are asked for.

    Raises
    ------
    OptionError : none has.
    """
    if not lab.options.labels:
        return ()
    counts, most = np.bincount(lab.labelled.y[parts.train]), max(lab.options.labels)
    if counts.max() <= most:
        fact = f"No class has more than {counts.max()} images to train on: {most} labels of each are all of them."
        raise OptionError(fact, "Choose smaller --labels.")
    few = int((counts[counts > 0] < most).sum())
    return (f"{few} classes have fewer than {most} images to train on, and give all that they have.",) if few else ()
