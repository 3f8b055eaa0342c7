"""From the finalists' predictions to the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from headstart.advice import Candidate, CutValue, Difference, Facts, Verdict, decide, why
from headstart.advice.verdict import LEVEL
from headstart.evidence import Interval, best_of, luck_of_choosing, simultaneous, training_draw
from headstart.records import Record
from headstart.runs.context import Context, Prepared, kept_arrays, kept_predictions
from headstart.runs.seen import seen_in
from headstart.strategies import TABLE, chosen

GUESS = "guess"
"""Always the most frequent class of what is learned from: what knows nothing of the images."""


def reach_verdict(context: Context, prepared: Prepared) -> Record:
    """Compare the finalists pairwise on the same images, and say which to take; the record ``verdict``."""
    finished = context.journal.get("verdict")
    if finished is not None:
        context.on_record(finished)
        return finished
    order = [row.name for row in chosen(context.options.strategy)]
    records = sorted(context.journal.of("candidate"), key=lambda r: order.index(r.strategy))
    found = _comparisons(context, prepared, records)
    verdict = decide(
        [_candidate(r) for r in records],
        to_best={d.b: d for d in found.to_best},
        to_control=min(found.to_controls, key=lambda d: d.value, default=None),
        to_guess=found.to_guess,
        margin=context.options.margin,
        n=len(found.judged),
    )
    networks = list(dict.fromkeys(r.backbone for r in records if TABLE[r.strategy].pretrained))
    judged = {"images that candidates are judged on": found.judged, "test images": prepared.split.test}
    more = (*_without_room(context, records), *seen_in(prepared, networks, judged))
    verdict = replace(verdict, reasons=(*verdict.reasons, *more))
    facts = _facts(context, prepared, records, over_random=found.over_random)
    record = _record(
        context,
        prepared,
        verdict,
        metrics={
            "value": found.winner.value,
            "low": found.winner.low,
            "high": found.winner.high,
            "n": len(found.judged),
        },
        detail={
            "over_guessing": _told(found.to_guess),
            "comparisons": [_told(d) for d in (*found.to_best, *found.to_controls)],
            "ladder": [_told(d) for d in found.steps],
            "why": list(why(facts, margin=context.options.margin)),
        },
    )
    context.note(record)
    return record


@dataclass(frozen=True)
class _Comparisons:
    """Differences on the same images: best − transferred, best − control, best − guess, each step; the images."""

    to_best: Sequence[Difference]
    to_controls: Sequence[Difference]
    to_guess: Difference
    steps: Sequence[Difference]
    over_random: Difference | None
    winner: Interval
    judged: np.ndarray


def _comparisons(context: Context, prepared: Prepared, records: Sequence[Record]) -> _Comparisons:
    indices, predicted = _predictions(context, records)
    y, groups, metric = prepared.y[indices], prepared.groups[indices], context.options.metric
    learned_from = np.concatenate([prepared.split.train, prepared.split.val])
    guess = np.full(len(y), np.bincount(prepared.y[learned_from]).argmax())
    names = [r.strategy for r in records if not TABLE[r.strategy].control]
    controls = [r.strategy for r in records if TABLE[r.strategy].control]
    stayed = [r for r in records if not r.detail["dropped"]]
    best = max((r for r in stayed if r.strategy in names), key=lambda r: r.metrics["value"]).strategy

    wider = _wider(context, prepared)

    def compare(pairs: list[tuple[str, str]]) -> dict[tuple[str, str], Difference]:
        return _compared(y, {**predicted, GUESS: guess}, pairs, groups, metric=metric, wider=wider)

    random = [("probe", "frozen_random")] if {"probe", "frozen_random"} <= predicted.keys() else []
    return _Comparisons(
        to_best=list(compare([(best, name) for name in names if name != best]).values()),
        to_controls=list(compare([(best, name) for name in controls]).values()),
        to_guess=compare([(name, GUESS) for name in names])[best, GUESS],
        steps=list(compare([(dearer, cheaper) for cheaper, dearer in pairwise(names)]).values()),
        over_random=next(iter(compare(random).values()), None),
        winner=best_of(
            y,
            {r.strategy: predicted[r.strategy] for r in stayed},
            groups,
            metric=metric,
            luck=_luck_of_network(context, prepared, max(stayed, key=lambda r: r.metrics["value"])),
        ),
        judged=np.unique(indices),
    )


def _without_room(context: Context, records: Sequence[Record]) -> list[str]:
    """Networks that stayed out; and what was to be trained, where nothing was fine-tuned."""
    found, planned = [], _plan(context)["epochs"]
    if out := [name for name in context.options.backbones if name not in planned]:
        found.append(f"The budget had no room for {', '.join(out)}: --budget gives more.")
    able = [row for row in chosen(context.options.strategy) if row.at_hand and not row.needs_classifier]
    asked = [row for row in able if row.trains and not row.control]
    if asked and not any(TABLE[r.strategy].trains and not TABLE[r.strategy].control for r in records):
        titles = ", ".join(row.title for row in asked)
        found.append(f"The budget had no room for {titles}: --budget gives more.")
    return found


def _luck_of_network(context: Context, prepared: Prepared, winner: Record) -> float:
    """What the winner's network owes to having been chosen on the images that judge it, where these are folds.

    A frozen one was the best of all, one that trains the best of those that afford the most; controls were not chosen.
    """
    row, plan = TABLE[winner.strategy], _plan(context)
    epochs = plan["epochs"]
    afford = max(map(len, epochs.values())) if row.trains else 0
    among = [r for r in context.journal.of("probed") if len(epochs[r.backbone]) >= afford]
    # An earlier version of headstart kept no predictions of a network's best probe.
    if row.control or plan["folds"] is None or not all("predictions" in r.detail for r in among):
        return 0.0
    kept = [kept_arrays(context.folder / r.detail["predictions"]) for r in among]
    # Memory may allow heads on fewer images for one network than for another.
    indices = reduce(np.intersect1d, [one["indices"] for one in kept])
    predicted = {str(i): one["predicted"][np.isin(one["indices"], indices)] for i, one in enumerate(kept)}
    return luck_of_choosing(prepared.y[indices], predicted, prepared.groups[indices], metric=context.options.metric)


def _plan(context: Context) -> Mapping[str, Any]:
    plan = context.journal.get("plan")
    assert plan is not None
    return plan.detail


def _wider(context: Context, prepared: Prepared) -> float:
    """By how much intervals widen, since what is compared are ways to train, not these networks alone."""
    if (folds := _plan(context)["folds"]) is not None:
        return training_draw(1, folds - 1, splits=folds)
    return training_draw(len(prepared.split.val), len(prepared.split.train))


def _compared(
    y: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, str]],
    groups: np.ndarray,
    *,
    metric: str,
    wider: float,
) -> dict[tuple[str, str], Difference]:
    """All pairs at once. One that was dropped is compared on the folds that it ran, which come first."""
    lengths = {pair: min(len(predicted[name]) for name in pair) for pair in pairs}
    found: dict[tuple[str, str], Any] = {}
    for n in set(lengths.values()):
        together = [pair for pair in pairs if lengths[pair] == n]
        # Each set of pairs gets its share of the error that all of them may make.
        level = 1 - (1 - LEVEL) * len(together) / len(pairs)
        cut = {name: p[:n] for name, p in predicted.items() if len(p) >= n}
        found |= simultaneous(y[:n], cut, together, groups[:n], metric=metric, level=level, wider=wider)
    return {pair: Difference(*pair, found[pair].value, found[pair].low, found[pair].high) for pair in pairs}


def _told(d: Difference) -> dict[str, Any]:
    return {"a": d.a, "b": d.b, "difference": d.value, "low": d.low, "high": d.high}


def _facts(context: Context, prepared: Prepared, records: Sequence[Record], *, over_random: Difference | None) -> Facts:
    """What is known beside the candidates, of the backbone that is read frozen."""
    probe = next(r for r in records if r.strategy == "probe")
    cuts = [
        CutValue(r.cut, r.metrics["value"], r.metrics["low"])
        for r in context.journal.of("probe")
        if r.detail["screen"] and r.backbone == probe.backbone and "+" not in r.cut and r.cut != "logits"
    ]
    trained = [r.detail["trainable"] for r in records if TABLE[r.strategy].trains]
    labels = len(prepared.split.train) + len(prepared.split.val)
    return Facts(labels, prepared.k, max(trained, default=None), cuts, over_random)


def _predictions(context: Context, records: Sequence[Record]) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    kept = {r.strategy: kept_predictions(context.folder / r.detail["predictions"]) for r in records}
    indices = max((indices for indices, _ in kept.values()), key=len)
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
    return Candidate(record.strategy, record.metrics["value"], what, rising, bool(record.detail["dropped"]))


def _record(
    context: Context,
    prepared: Prepared,
    verdict: Verdict,
    *,
    metrics: dict[str, float | int | None],
    detail: dict[str, Any],
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
            **detail,
        },
    )
