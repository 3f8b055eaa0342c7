"""What every way to adapt starts from: features of both domains, and the head that is best on the source."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from headstart.backbones import Backbone, load
from headstart.data import Survey
from headstart.evidence import interval
from headstart.evidence.distance import discrepancy
from headstart.features import Features, extract
from headstart.records import Record
from headstart.runs.context import Context
from headstart.runs.fitted import Start, compared_rows
from headstart.runs.methods import shift_of
from headstart.runs.pairing import Both
from headstart.runs.probing import head_rows, probe
from headstart.shallow import Probe

HEADS = ("ridge",)
"""What is fitted to images that count more or less, moves with them, and can be summed: one head for all methods."""


def found_start(context: Context, both: Both) -> Start:
    """Features of both domains, and the head that is best on the source; the record ``start``.

    Found again on resuming, which costs seconds and keeps live objects out of the records.
    """
    started = time.perf_counter()
    (name,) = context.options.backbones
    backbone = load(name, size=context.options.size)
    found = [_features(context, backbone, looked) for looked in (both.source.survey, both.target.survey)]
    train = both.source.split.train
    title = f"heads on {name}"
    head = probe(context, both.source, found[0], indices=train, title=title, heads=HEADS).best
    shift = shift_of(context, both, found[0], found[1], head)
    finished = context.journal.get("start")
    if finished is None:
        context.note(_record(context, both, found, head, seconds=time.perf_counter() - started))
    else:
        context.on_record(finished)
    return Start(name, found[0], found[1], head, shift)


def _record(context: Context, both: Both, found: Sequence[Features], head: Probe, *, seconds: float) -> Record:
    rows = head_rows(both.source, found[0], both.source.split.train, memory=context.options.memory)
    value = interval(both.source.y[rows], head.predicted, both.source.groups[rows], metric=context.options.metric)
    return Record(
        "start",
        "start",
        data=both.fingerprint,
        part="train",
        backbone=context.options.backbones[0],
        cut="+".join(head.cuts),
        seed=context.options.seed,
        recipe={"head": head.head, "penalty": head.penalty},
        metrics={"value": value.value, "low": value.low, "high": value.high, "n": value.n},
        cost={"seconds": seconds, "images": sum(one.computed for one in found)},
        detail={
            "engine": found[0].engine,
            "cuts": list(found[0].cuts),
            "width": head.width,
            "distances": _distances(both, found[0], found[1]),
        },
    )


def _distances(both: Both, source: Features, target: Features) -> dict[str, float]:
    """How far apart the domains are at every cut, before anything is adapted."""
    looked = both.source.survey, both.target.survey
    ids = [[one.ids[i] for i in rows] for one, rows in zip(looked, compared_rows(both), strict=True)]
    return {cut: discrepancy(source.of(cut, ids[0]), target.of(cut, ids[1])) for cut in source.cuts}


def _features(context: Context, backbone: Backbone, looked: Survey) -> Features:
    usable = np.array([i for i, key in enumerate(looked.ids) if key])
    return extract(backbone, looked, usable, cache=context.cache, device=context.device, progress=context.progress)
