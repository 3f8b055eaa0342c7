"""The unit of work of one method: fitted, scored without a label of the target, one record."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from headstart.evidence import METRICS, interval
from headstart.evidence.distance import discrepancy, spaced
from headstart.evidence.label_free import VALIDATORS, Seen
from headstart.evidence.priors import evenness
from headstart.records import Record
from headstart.records.arrays import write_arrays
from headstart.runs.context import Context, kept_arrays
from headstart.runs.fitted import Start
from headstart.runs.methods import fit_method
from headstart.runs.pairing import Both
from headstart.shallow.adapt.density import effective, ratio
from headstart.strategies import Adaptation

MAPPED = 250
"""Images of each domain on the map."""


def measure_method(context: Context, both: Both, row: Adaptation, start: Start) -> Record:
    """The unit of work ``method/<name>``: its predictions go to ``work/``, what they come to into the record."""
    started = time.perf_counter()
    context.progress(row.title, 0, 1)
    fitted = fit_method(context, both, row, start)
    arrays = fitted.arrays()
    held = start.shift.held
    weights = held_weights(context, start)
    seen = Seen(arrays["target"], arrays["held"], held.y, weights)
    metric = METRICS[context.options.metric]
    path = f"work/method-{row.name}.safetensors"
    write_arrays(context.folder / path, _kept(arrays))
    metrics: dict[str, object] = {name: one.function(seen) for name, one in VALIDATORS.items()}
    metrics |= {
        "distance": discrepancy(arrays["map_s"], arrays["map_t"], weights=fitted.weights),
        "effective": min(effective(weights), round(float(weights.sum()), 1)),
        "overlap": float(weights.mean()),
        "held": float(metric(held.y, arrays["held"].argmax(1))),
        "kept": float(metric(held.y, arrays["kept"].argmax(1))),
        "even": evenness(arrays["target"].mean(axis=0)),
        "sure": float(arrays["target"].max(axis=1).mean() / arrays["held"].max(axis=1).mean()),
    }
    detail = {
        "title": row.title,
        "kind": row.kind,
        "paper": row.paper,
        "baseline": row.baseline,
        "reads_few": row.reads_few,
        "predictions": path,
        "few": _on_few(context, both, arrays["few"]),
        **({"training": dict(fitted.training)} if fitted.training else {}),
        **({"distances": fitted.distances()} if fitted.distances else {}),
    }
    record = Record(
        f"method/{row.name}",
        "method",
        data=both.fingerprint,
        part="adapted",
        backbone=start.backbone,
        cut=fitted.cut,
        strategy=row.name,
        seed=context.options.seed,
        recipe=dict(fitted.recipe),
        metrics=metrics,
        # A network that was kept by an interrupted run is not trained again, but was not for nothing.
        cost={"seconds": max(time.perf_counter() - started, fitted.training.get("seconds", 0.0))},
        detail=detail,
    )
    context.note(record)
    context.progress(row.title, 1, 1)
    return record


def held_weights(context: Context, start: Start) -> np.ndarray:
    """How much likelier the target makes each held source image, ``(n,)``, by a classifier of the domains.

    Of the features as they are, the same for all methods: so that their scores can be compared.
    """
    path = context.folder / "work" / "held-weights.safetensors"
    if not path.exists():
        shift = start.shift
        weights, _ = ratio(shift.u_s, shift.u_t, seed=shift.seed, at=shift.coordinates(shift.held.z))
        write_arrays(path, {"weights": weights})
    return kept_arrays(path)["weights"]


def _kept(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Probabilities, and a plane through both domains where the head reads them."""
    kept = {name: arrays[name].astype("f4") for name in ("target", "judged", "held", "kept", "few")}
    parts = [arrays[name] for name in ("map_s", "map_t")]
    chosen = [spaced(len(part), MAPPED) for part in parts]
    rows = np.concatenate([part[some] for part, some in zip(parts, chosen, strict=True)]).astype("f8")
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-6 * max(float(rows.std()), 1e-12))
    u, s, _ = np.linalg.svd(rows, full_matrices=False)
    plane = (u[:, :2] * s[:2]).astype("f4")
    return kept | {
        "plane_s": plane[: len(chosen[0])],
        "plane_t": plane[len(chosen[0]) :],
        "shown_s": chosen[0].astype("i8"),
        "shown_t": chosen[1].astype("i8"),
    }


def _on_few(context: Context, both: Both, shares: np.ndarray) -> dict[str, float | int | None]:
    """The metric on the few labelled target images, whose labels the models have not seen; empty if not measured."""
    target = both.target
    if not len(shares):
        return {}
    found = interval(target.few_y, shares.argmax(1), target.groups[target.few], metric=context.options.metric)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
