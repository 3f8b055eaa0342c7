"""Successive halving: of many networks, those whose heads compete are found on few images."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from headstart.advice import Plan, Rung, survivors
from headstart.advice.verdict import LEVEL
from headstart.backbones import load
from headstart.evidence import interval, simultaneous
from headstart.records import Record
from headstart.runs.context import Context, Prepared
from headstart.runs.machine import give_back_memory
from headstart.runs.probing import features_of, head_rows, screen_cuts
from headstart.shallow import Probe, best, evenly


@dataclass(frozen=True, eq=False)
class Compared:
    """A network's best ridge on the images at `rows`, int64 (m,), and what it took to get there."""

    rows: np.ndarray
    probe: Probe
    extraction: float
    computed: int
    note: str


def halve(context: Context, prepared: Prepared, plan: Plan, *, pool: np.ndarray) -> tuple[str, ...]:
    """The networks that are left after all rungs of the plan, in the order in which they were named.

    Each rung is a record ``rung/<number>``. One that exists is not computed again; of one that was cut off the features
    are stored. `pool` are the images that may be looked at, int64 (n,); a later rung's images contain an earlier one's.
    """
    left = tuple(plan.epochs)
    afford = max(len(share) for share in plan.epochs.values())
    trainable = {name for name, share in plan.epochs.items() if len(share) == afford}
    for number, rung in enumerate(plan.rungs):
        record = context.journal.get(f"rung/{number}")
        if record is None:
            record = _halved(context, prepared, f"rung/{number}", rung, names=left, pool=pool, trainable=trainable)
            context.note(record)
        else:
            context.on_record(record)
        kept = {one["backbone"] for one in record.detail["networks"] if one["fate"] == "left"}
        left = tuple(name for name in left if name in kept)
    return left


def _halved(
    context: Context,
    prepared: Prepared,
    key: str,
    rung: Rung,
    *,
    names: Sequence[str],
    pool: np.ndarray,
    trainable: set[str],
) -> Record:
    """Compare the networks on the rung's images; the record names them from the best to the worst."""
    started = time.perf_counter()
    images = rung_images(prepared, pool, most=rung.images)
    found = {name: _compared(context, prepared, name, images=images) for name in names}
    # Where memory allows a wide network fewer images, all are compared on these.
    rows: np.ndarray = reduce(np.intersect1d, [one.rows for one in found.values()])
    predicted = {name: one.probe.predicted[np.isin(one.rows, rows)] for name, one in found.items()}
    probes = {name: one.probe for name, one in found.items()}
    networks = _ranked(context, prepared, probes, rows=rows, predicted=predicted)
    left = survivors({one["backbone"]: one["metrics"]["value"] for one in networks}, rung.left, trainable=trainable)
    networks = [one | {"fate": _fate(context, networks, at, left=left)} for at, one in enumerate(networks)]
    return _record(context, prepared, key, networks=networks, found=found.values(), started=started)


def _record(
    context: Context,
    prepared: Prepared,
    key: str,
    *,
    networks: list[dict[str, Any]],
    found: Collection[Compared],
    started: float,
) -> Record:
    first = networks[0]
    return Record(
        key,
        "rung",
        data=prepared.fingerprint,
        part="train",
        backbone=first["backbone"],
        cut=first["cut"],
        seed=context.options.seed,
        metrics=first["metrics"],
        cost={
            "seconds": time.perf_counter() - started,
            "extraction_seconds": sum(one.extraction for one in found),
            "images": sum(one.computed for one in found),
        },
        detail={
            "networks": networks,
            "level": LEVEL,
            "margin": context.options.margin,
            "note": " ".join(filter(None, (one.note for one in found))),
        },
    )


def rung_images(prepared: Prepared, pool: np.ndarray, *, most: int) -> np.ndarray:
    """At most so many of the images at `pool`, even over classes; more contain fewer.

    All where these would be of one group: nothing could be held back from a head.
    """
    images = evenly(pool, prepared.y, most)
    return images if len(np.unique(prepared.groups[images])) > 1 else pool


def _compared(context: Context, prepared: Prepared, name: str, *, images: np.ndarray) -> Compared:
    started = time.perf_counter()
    features = features_of(context, prepared, load(name, size=context.options.size), indices=images)
    extraction = time.perf_counter() - started
    rows = head_rows(prepared, features, images, memory=context.options.memory)
    screened = screen_cuts(context, prepared, features, indices=rows, title=f"cuts of {name}")
    give_back_memory()
    return Compared(rows, best(screened.probes), extraction, features.computed, features.note)


def _ranked(
    context: Context,
    prepared: Prepared,
    probes: Mapping[str, Probe],
    *,
    rows: np.ndarray,
    predicted: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Each network's best ridge with its paired difference to the best of them, from the best to the worst.

    The intervals of these differences hold all at once; the best one has none.
    """
    y, groups, metric = prepared.y[rows], prepared.groups[rows], context.options.metric
    values = {name: interval(y, p, groups, metric=metric) for name, p in predicted.items()}
    leader = max(values, key=lambda name: values[name].value)
    pairs = [(name, leader) for name in values if name != leader]
    behind = simultaneous(y, predicted, pairs, groups, metric=metric, level=LEVEL)
    told = []
    for name, found in values.items():
        d, probe = behind.get((name, leader)), probes[name]
        told.append(
            {
                "backbone": name,
                "cut": "+".join(probe.cuts),
                "penalty": probe.penalty,
                "metrics": {"value": found.value, "low": found.low, "high": found.high, "n": found.n},
                "to_best": d and {"difference": d.value, "low": d.low, "high": d.high},
            }
        )
    return sorted(told, key=lambda one: -one["metrics"]["value"])


def _fate(context: Context, networks: Sequence[Mapping[str, Any]], at: int, *, left: Sequence[str]) -> str:
    """What becomes of the network at that rank, and why.

    ``left``, or dropped: ``worse``, shown to be so by more than the margin beyond its interval; ``yielded``, to a lower
    one that can be fine-tuned; ``lower``, ranked so and no more, for halving is a quota.
    """
    if networks[at]["backbone"] in left:
        return "left"
    to_best = networks[at]["to_best"]
    if to_best and to_best["high"] is not None and to_best["high"] < -context.options.margin:
        return "worse"
    return "yielded" if at < len(left) else "lower"
