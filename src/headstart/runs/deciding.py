"""From the finalists' predictions to the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.advice import Candidate, Difference, Verdict, decide
from headstart.advice.verdict import LEVEL
from headstart.evidence import best_of, simultaneous
from headstart.records import Record
from headstart.runs.context import Context, Prepared, kept_predictions
from headstart.strategies import TABLE


def reach_verdict(context: Context, prepared: Prepared) -> Record:
    """Compare the finalists pairwise on the same images, and say which to take; the record ``verdict``."""
    finished = context.journal.get("verdict")
    if finished is not None:
        context.on_record(finished)
        return finished
    records = sorted(context.journal.of("candidate"), key=lambda r: list(TABLE).index(r.strategy))
    indices, predicted = _predictions(context, records)
    y, groups = prepared.y[indices], prepared.groups[indices]
    metric = context.options.metric
    transferred = [r for r in records if not TABLE[r.strategy].control]
    controls = [r for r in records if TABLE[r.strategy].control]
    best = max(transferred, key=lambda r: r.metrics["value"]).strategy
    among = {r.strategy: predicted[r.strategy] for r in transferred}
    to_best = {
        name: Difference(best, name, d.value, d.low, d.high)
        for name, d in simultaneous(y, among, best, groups, metric=metric, level=LEVEL).items()
    }
    to_controls = [
        Difference(best, name, d.value, d.low, d.high)
        for name, d in simultaneous(
            y,
            {best: predicted[best], **{r.strategy: predicted[r.strategy] for r in controls}},
            best,
            groups,
            metric=metric,
            level=LEVEL,
        ).items()
    ]
    verdict = decide(
        [_candidate(r) for r in records],
        to_best=to_best,
        to_control=min(to_controls, key=lambda d: d.value, default=None),
        margin=context.options.margin,
        n=len(indices),
    )
    winner = best_of(y, predicted, groups, metric=metric)
    metrics = {"value": winner.value, "low": winner.low, "high": winner.high, "n": winner.n}
    record = _record(context, prepared, verdict, metrics=metrics, compared=[*to_best.values(), *to_controls])
    context.note(record)
    return record


def _predictions(context: Context, records: Sequence[Record]) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    kept = {r.strategy: kept_predictions(context.folder / r.detail["predictions"]) for r in records}
    indices = next(iter(kept.values()))[0]
    return indices, {name: shares.argmax(1) for name, (_, shares) in kept.items()}


def _candidate(record: Record) -> Candidate:
    head = f"with a {record.recipe.get('head')} head"
    cut = record.cut.replace("+", " + ") if record.cut.count("+") < 3 else f"{record.cut.count('+') + 1} cuts together"
    above = f"fine-tune {record.backbone} above {record.cut}"
    blocks = dict.fromkeys(found["block"] for found in record.detail.get("blocks", ()))
    what = {
        "probe": f"freeze {record.backbone} and read it at {cut} {head}",
        "frozen_random": f"freeze {record.backbone} {head}",
        "scratch": f"train {record.backbone.partition('/')[2]} from scratch",
        "surgical": f"adapt {record.backbone} by {TABLE['surgical'].title} ({' or '.join(blocks)})",
        "all": f"fine-tune all of {record.backbone}",
    }.get(record.strategy, above if record.cut else f"adapt {record.backbone} by {TABLE[record.strategy].title}")
    rising = any(curve["still_improving"] for curve in record.detail["curves"])
    return Candidate(record.strategy, record.metrics["value"], what, rising)


def _record(
    context: Context,
    prepared: Prepared,
    verdict: Verdict,
    *,
    metrics: dict[str, float | int | None],
    compared: Sequence[Difference],
) -> Record:
    return Record(
        "verdict",
        "verdict",
        data=prepared.fingerprint,
        part=next(r.part for r in context.journal.of("candidate")),
        strategy=verdict.chosen,
        seed=context.options.seed,
        metrics=metrics,
        detail={
            "kind": verdict.kind,
            "sentence": verdict.sentence,
            "reasons": list(verdict.reasons),
            "chosen": verdict.chosen,
            "best": verdict.best,
            "margin": context.options.margin,
            "level": LEVEL,
            "transfer": verdict.transfer,
            "comparisons": [
                {"a": d.a, "b": d.b, "difference": d.value, "low": d.low, "high": d.high} for d in compared
            ],
        },
    )
