"""A pretrained network as feature extractor: features once, then heads at every cut."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from headstart.backbones import Backbone
from headstart.data import folds
from headstart.evidence import interval
from headstart.features import Features, extract
from headstart.records import Record
from headstart.runs.context import Context, Prepared
from headstart.shallow import HEADS, Probe, best, compete, screen, shortlist

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Probed:
    """Heads compared out-of-fold on some images, on one backbone's features.

    Attributes
    ----------
    best : what a frozen network should be used with.
    linear : the best linear head on the top cut alone, from which fine-tuning starts.
    probes : all of them.
    """

    best: Probe
    linear: Probe
    screened: tuple[Probe, ...]
    competed: tuple[Probe, ...]


def features_of(context: Context, prepared: Prepared, backbone: Backbone) -> Features:
    """Stored features of every usable image at all cuts."""
    usable = np.array([i for i, key in enumerate(prepared.survey.ids) if key])
    return extract(
        backbone, prepared.survey, usable, cache=context.cache, device=context.device, progress=context.progress
    )


def rows_at(features: Features, prepared: Prepared, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Features of the images at `indices` by cut, without the source's logits."""
    ids = [prepared.survey.ids[i] for i in indices]
    return {cut: features.store.read(cut, ids) for cut in features.cuts if cut != "logits"}


def probe(context: Context, prepared: Prepared, features: Features, *, indices: np.ndarray, title: str) -> Probed:
    """Screen every cut with ridge, then let all heads compete on the shortlist; folds keep groups whole."""
    y, groups = prepared.y[indices], prepared.groups[indices]
    k = min(FOLDS, len(np.unique(groups)))
    parts = folds(y, groups, k, seed=context.options.seed)
    z = rows_at(features, prepared, indices)
    metric = context.options.metric
    class_weight = None if context.options.class_weight == "none" else context.options.class_weight
    total = len(z) + 5 * len(HEADS)
    done = 0

    def tell(_: Probe) -> None:
        nonlocal done
        done += 1
        context.progress(title, min(done, total), total)

    screened = screen(z, y, parts, metric=metric, class_weight=class_weight, progress=tell)
    wanted = shortlist(screened, last="top")
    competed = compete(
        z, y, parts, cuts=wanted, metric=metric, class_weight=class_weight, screened=screened, progress=tell
    )
    context.progress(title, total, total)
    linear = best([p for p in competed if p.cuts == ("top",) and HEADS[p.head].kind == "linear"])
    return Probed(best([*screened, *competed]), linear, tuple(screened), tuple(competed))


def note_probes(context: Context, prepared: Prepared, backbone: str, *, probed: Probed, indices: np.ndarray) -> None:
    """One record a probe that has none yet; the record of the backbone itself closes the unit of work."""
    y, groups = prepared.y[indices], prepared.groups[indices]
    for one, screening in [*((p, True) for p in probed.screened), *((p, False) for p in probed.competed)]:
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


def timed_probe(
    context: Context, prepared: Prepared, backbone: Backbone, *, indices: np.ndarray
) -> tuple[Probed, Features]:
    """The unit of work ``probe/<backbone>``: features, heads and their records.

    Fitting the heads again on resuming costs seconds and keeps live objects out of the records.
    """
    started = time.perf_counter()
    features = features_of(context, prepared, backbone)
    extracted = time.perf_counter() - started
    probed = probe(context, prepared, features, indices=indices, title=f"heads on {backbone.name}")
    key = f"probe/{backbone.name}"
    if context.journal.get(key) is None:
        note_probes(context, prepared, backbone.name, probed=probed, indices=indices)
        context.note(
            Record(
                key,
                "probed",
                data=prepared.fingerprint,
                part="train",
                backbone=backbone.name,
                cut="+".join(probed.best.cuts),
                recipe={"head": probed.best.head, "penalty": probed.best.penalty},
                metrics={"value": probed.best.value},
                cost={
                    "seconds": time.perf_counter() - started,
                    "extraction_seconds": extracted,
                    "images": features.computed,
                },
                detail={
                    "engine": features.engine,
                    "note": features.note,
                    "cuts": list(backbone.cuts),
                    "fingerprint": backbone.fingerprint("top"),
                },
            )
        )
    return probed, features
