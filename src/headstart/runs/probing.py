"""A pretrained network as feature extractor: features once, then heads at every cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart.backbones import Backbone
from headstart.data import folds
from headstart.errors import RunError
from headstart.evidence import interval
from headstart.features import Features, extract
from headstart.records import Record
from headstart.records.arrays import write_arrays
from headstart.runs.context import Context, Prepared
from headstart.shallow import (
    HEADS,
    WIDEST,
    Probe,
    arrays,
    best,
    compete,
    evenly,
    fit_probe,
    linear_start,
    screen,
    shortlist,
)

FOLDS = 5
BESIDE = 1.9e9
"""Bytes that a run takes beside the heads, as measured."""
FACTORISED = 28
"""Bytes that a factorisation holds for each row and feature: three arrays of doubles, and one of the joined cuts."""
COPIES = 3.2
"""Of the features that heads are fitted to, what fitting holds of them at its peak, as measured on 70,000 images."""


@dataclass(frozen=True, eq=False)
class Probed:
    """Heads compared out-of-fold on some images, on one backbone's features.

    Attributes
    ----------
    best : what a frozen network should be used with.
    linear : the best linear head on the top cut alone, from which fine-tuning starts.
    screened, competed : all of them.
    """

    best: Probe
    linear: Probe
    screened: tuple[Probe, ...]
    competed: tuple[Probe, ...]


def features_of(
    context: Context, prepared: Prepared, backbone: Backbone, *, indices: np.ndarray | None = None
) -> Features:
    """Stored features at all cuts of the images at `indices`, every usable one by default."""
    if indices is None:
        indices = np.array([i for i, key in enumerate(prepared.survey.ids) if key])
    return extract(
        backbone, prepared.survey, indices, cache=context.cache, device=context.device, progress=context.progress
    )


def head_rows(prepared: Prepared, features: Features, indices: np.ndarray, *, memory: int) -> np.ndarray:
    """Of the images at `indices`, those that heads are fitted to: all, or as many of each class as memory allows."""
    room, width = memory - BESIDE, features.width
    rows = int(room / (COPIES * 4 * width))
    if rows < FOLDS * WIDEST:  # so few that the joined cuts are factorised, in double precision
        rows = int(room / (4 * width + FACTORISED * min(width, WIDEST)))
    return evenly(indices, prepared.y, max(2 * prepared.k, rows))


def rows_at(
    features: Features, prepared: Prepared, indices: np.ndarray, cuts: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Features of the images at `indices` by cut, at all cuts by default."""
    ids = [prepared.survey.ids[i] for i in indices]
    return {cut: features.of(cut, ids) for cut in (features.cuts if cuts is None else cuts)}


@dataclass(frozen=True, eq=False)
class Screened:
    """Features of some images by cut with their classes and folds, and a ridge at every cut of them."""

    z: dict[str, np.ndarray]
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]
    probes: tuple[Probe, ...]


def probe(
    context: Context,
    prepared: Prepared,
    features: Features,
    *,
    indices: np.ndarray,
    title: str,
    heads: Collection[str] = HEADS,
) -> Probed:
    """Screen every cut with ridge, then let all `heads` compete on the shortlist; folds keep groups whole."""
    rows = head_rows(prepared, features, indices, memory=context.options.memory)
    screened = screen_cuts(context, prepared, features, indices=rows, title=title)
    return _compete(context, screened, title=title, heads=heads)


def screen_cuts(
    context: Context, prepared: Prepared, features: Features, *, indices: np.ndarray, title: str
) -> Screened:
    """A ridge at every cut, out of fold on the images at `indices`; folds keep groups whole."""
    y, groups = prepared.y[indices], prepared.groups[indices]
    parts = folds(y, groups, min(FOLDS, len(np.unique(groups))), seed=context.options.seed)
    z = rows_at(features, prepared, indices)
    tell = _counter(context, title, total=len(z))
    screened = screen(z, y, parts, metric=context.options.metric, class_weight=_class_weight(context), progress=tell)
    return Screened(z, y, parts, tuple(screened))


def _compete(context: Context, screened: Screened, *, title: str, heads: Collection[str] = HEADS) -> Probed:
    cuts = shortlist(screened.probes, last="top")
    dear = sum(HEADS[name].dear for name in heads)
    total = len(cuts) * (len(heads) - dear) + min(len(cuts), 3) * dear
    competed = compete(
        screened.z,
        screened.y,
        screened.folds,
        cuts=cuts,
        metric=context.options.metric,
        class_weight=_class_weight(context),
        screened=screened.probes,
        heads=heads,
        progress=_counter(context, title, total=total),
    )
    context.progress(title, total, total)
    linear = best([p for p in competed if p.cuts == ("top",) and HEADS[p.head].kind == "linear"])
    return Probed(best([*screened.probes, *competed]), linear, screened.probes, tuple(competed))


def linear_rows(linear: Probe, z: np.ndarray, y: np.ndarray, *, k: int) -> tuple[Tensor, Tensor]:
    """Weight ``(k, d)`` and bias ``(k,)`` of a linear head at ``top``, fitted to features ``(n, d)`` and classes.

    A class without an image has no weights, and the lowest bias.
    """
    there, y = np.unique(y, return_inverse=True)
    fitted, biases = linear_start(arrays(fit_probe(linear, {"top": z}, y)))
    weight, bias = torch.zeros(k, z.shape[1]), torch.full((k,), biases.min().item())
    weight[there], bias[there] = fitted, biases
    return weight, bias


def _class_weight(context: Context) -> str | None:
    return None if context.options.class_weight == "none" else context.options.class_weight


def _counter(context: Context, title: str, *, total: int) -> Callable[[Probe], None]:
    done = count(1)
    return lambda _: context.progress(title, next(done), total)


def timed_probe(
    context: Context, prepared: Prepared, backbone: Backbone, *, indices: np.ndarray
) -> tuple[Probed, Features]:
    """The unit of work ``probe/<backbone>``: features, heads and their records, those of the cuts first.

    Fitting the heads again on resuming costs seconds and keeps live objects out of the records.

    Raises
    ------
    RunError : the network's weights have changed since the run was started.
    """
    started = time.perf_counter()
    name, of, fingerprint = backbone.name, len(indices), backbone.fingerprint("top")
    for key in (f"screen/{name}", f"probe/{name}"):
        before = context.journal.get(key)
        if before is not None and before.detail.get("fingerprint", fingerprint) != fingerprint:
            fact = f"{name} has changed since the run in {context.folder} was started, or this is another processor."
            raise RunError(fact, "Choose another --out for the changed network, or put the old one back.")
    features = features_of(context, prepared, backbone)
    extracted = time.perf_counter() - started
    indices = head_rows(prepared, features, indices, memory=context.options.memory)
    fewer = f"Heads were fitted to {len(indices):,} of {of:,} images: --memory allows no more."
    screened = screen_cuts(context, prepared, features, indices=indices, title=f"cuts of {name}")
    if context.journal.get(f"screen/{name}") is None:
        _note_probes(context, prepared, name, probes=screened.probes, indices=indices, screening=True)
        winner = best(screened.probes)
        took, told = {"seconds": time.perf_counter() - started}, {"fingerprint": fingerprint}
        context.note(_closing(context, prepared, "screened", name, probe=winner, cost=took, detail=told))
    probed = _compete(context, screened, title=f"heads on {name}")
    if context.journal.get(f"probe/{name}") is None:
        _note_probes(context, prepared, name, probes=probed.competed, indices=indices, screening=False)
        kept = f"work/probed-{fingerprint}.safetensors"
        write_arrays(context.folder / kept, {"indices": indices.astype("i8"), "predicted": probed.best.predicted})
        seconds = time.perf_counter() - started
        cost = {"seconds": seconds, "extraction_seconds": extracted, "images": features.computed}
        detail = {
            "engine": features.engine,
            "note": " ".join(filter(None, (features.note, fewer if len(indices) < of else ""))),
            "cuts": list(backbone.cuts),
            "fingerprint": fingerprint,
            "predictions": kept,
        }
        context.note(_closing(context, prepared, "probed", name, probe=probed.best, cost=cost, detail=detail))
    return probed, features


def _note_probes(
    context: Context,
    prepared: Prepared,
    backbone: str,
    *,
    probes: Sequence[Probe],
    indices: np.ndarray,
    screening: bool,
) -> None:
    """One record a probe that has none yet; a key with a head in it is of the competition."""
    y, groups = prepared.y[indices], prepared.groups[indices]
    for one in probes:
        cut = "+".join(one.cuts)
        key = f"probe/{backbone}/{cut}" + ("" if screening else f"/{one.head}")
        if context.journal.get(key) is not None:
            continue
        found = interval(y, one.predicted, groups, metric=context.options.metric)
        context.note(
            Record(
                key,
                "probe",
                data=prepared.fingerprint,
                part="train",
                backbone=backbone,
                cut=cut,
                seed=context.options.seed,
                recipe={"head": one.head, "penalty": one.penalty},
                metrics={"value": found.value, "low": found.low, "high": found.high, "n": found.n},
                cost={"seconds": one.seconds},
                detail={"screen": screening, "width": one.width},
            )
        )


def _closing(
    context: Context,
    prepared: Prepared,
    what: str,
    backbone: str,
    *,
    probe: Probe,
    cost: dict[str, float],
    detail: dict[str, Any] | None = None,
) -> Record:
    """The record that closes the screening or the whole unit: the best probe so far."""
    return Record(
        f"{'screen' if what == 'screened' else 'probe'}/{backbone}",
        what,
        data=prepared.fingerprint,
        part="train",
        backbone=backbone,
        cut="+".join(probe.cuts),
        seed=context.options.seed,
        recipe={"head": probe.head, "penalty": probe.penalty},
        metrics={"value": probe.value},
        cost=cost,
        detail=detail or {},
    )
