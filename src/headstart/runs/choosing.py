"""From the methods' records to the one that is handed back; and, after that, what the target's labels say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from headstart.advice.adaptation_verdict import LEVEL, Basis, conclude
from headstart.advice.adapting import SOURCE, Standing, choose, expected, standing, votes
from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatches
from headstart.evidence import METRICS, Difference, interval, paired, simultaneous, softmax
from headstart.problem import Sealed
from headstart.records import Record
from headstart.runs.context import Context, keep_predictions, kept_arrays, kept_predictions
from headstart.runs.pairing import Both
from headstart.training import predict_logits


def reach_choice(context: Context, both: Both) -> Record:
    """Which method is handed back, and whether adapting helps; the record ``verdict``. It reads no judged label."""
    finished = context.journal.get("verdict")
    if finished is not None:
        context.on_record(finished)
        return finished
    started = time.perf_counter()
    records = context.journal.of("method")
    few = _few(context, both, [record.strategy for record in records])
    standings = [standing(record, few.get(record.strategy)) for record in records]
    chosen = choose(standings)
    basis = _basis(context, both, standings, chosen)
    choice = conclude(standings, chosen, basis, margin=context.options.margin)
    gain = basis.gain
    record = Record(
        "verdict",
        "verdict",
        data=both.fingerprint,
        part="few" if basis.labels else "built cases",
        strategy=chosen,
        seed=context.options.seed,
        metrics={"gain": gain.value, "low": gain.low, "high": gain.high, "changed": basis.changed},
        cost={"seconds": time.perf_counter() - started},
        detail={
            "chosen": choice.chosen,
            "transfer": choice.transfer,
            "sentence": choice.sentence,
            "reasons": list(choice.reasons),
            "rests_on": choice.rests_on,
            "votes": {name: list(found) for name, found in votes(standings).items()},
            "margin": context.options.margin,
            "level": LEVEL,
        },
    )
    context.note(record)
    return record


def _few(context: Context, both: Both, names: Sequence[str]) -> dict[str, Difference]:
    """Methods against the source's head on the few labelled target images, whose labels they had not seen.

    The best of them is chosen by these intervals, so that all must hold at once. A method that could not be measured
    there has none.
    """
    target = both.target
    if not len(target.few):
        return {}
    shares = {name: _predicted(context, name)["few"] for name in names}
    predicted = {name: each.argmax(1) for name, each in shares.items() if len(each)}
    pairs = [(name, SOURCE) for name in predicted if name != SOURCE]
    groups, metric = target.groups[target.few], context.options.metric
    found = simultaneous(target.few_y, predicted, pairs, groups, metric=metric, level=LEVEL)
    return {name: difference for (name, _), difference in found.items()}


def _basis(context: Context, both: Both, standings: Sequence[Standing], chosen: str) -> Basis:
    """What is known of the chosen method against the source's head without the judged images' labels."""
    ours, source = (_predicted(context, name)["judged"].argmax(1) for name in (chosen, SOURCE))
    changed, judged = float((ours != source).mean()), len(both.target.judged)
    gain = next((one.few for one in standings if one.name == chosen), None)
    labels = len(both.target.few) if gain or chosen == SOURCE else 0
    return Basis(gain or expected(standings, chosen, changed), changed, labels=labels, judged=judged)


def judge_final(context: Context, both: Both, model: Transferred, *, chosen: str) -> Record:
    """The model that is handed back, run on the judged images themselves; the record ``final``.

    Methods are measured on stored features, which an engine may have computed in fewer digits than the model computes
    in; how often the two name an image alike is recorded.
    """
    finished = context.journal.get("final")
    if finished is not None:
        context.on_record(finished)
        return finished
    started = time.perf_counter()
    looked, judged = both.target.survey, both.target.judged
    prepare = partial(model.backbone.preprocessing.tensor, device=context.device)
    images = UnlabelledBatches(looked.pixels, prepare, judged, 64)
    shares = softmax(predict_logits(model.to(context.device), images))
    path = "work/final-predictions.safetensors"
    keep_predictions(context.folder / path, judged, shares)
    same = float((shares.argmax(1) == _predicted(context, chosen)["judged"].argmax(1)).mean())
    record = Record(
        "final",
        "final",
        data=both.fingerprint,
        part="judged",
        backbone=model.backbone.name,
        cut="+".join(model.cuts),
        strategy=chosen,
        seed=context.options.seed,
        metrics={"agreement": same, "n": len(judged)},
        cost={"seconds": time.perf_counter() - started, "images": len(judged)},
        detail={"predictions": path},
    )
    context.note(record)
    return record


def open_oracle(context: Context, both: Both, sealed: Sealed, *, chosen: str) -> None:
    """What each method is really worth on the judged images; the records ``oracle/<method>``, and ``oracle/final``.

    They come after the verdict, and say that they have read the target's labels. No method can be right on images of
    classes that the source does not have: ``oracle/left_out`` counts them, and stands alone where all are such.
    """
    if context.journal.get("oracle/source_only") is not None:
        for record in context.journal.of("oracle"):
            context.on_record(record)
        return
    classes = both.source.labelled.task.classes
    names = sealed.opened(both.target.judged, chosen=chosen)
    known = np.array([name in classes for name in names])
    y = np.array([classes.index(name) for name in names if name in classes], dtype=np.int64)
    groups = both.target.groups[both.target.judged][known]
    if not known.all() and context.journal.get("oracle/left_out") is None:
        context.note(_left_out(context, both, [name for name in names if name not in classes]))
    if not len(y):
        return
    source = _predicted(context, SOURCE)["judged"][known].argmax(1)
    _, shares = kept_predictions(context.folder / "work/final-predictions.safetensors")
    final = _oracle(context, both, chosen, y, shares[known].argmax(1), source, groups, unknown=int((~known).sum()))
    context.note(replace(final, key="oracle/final", what="oracle_final"))
    # The source's head comes last: its record says that all are there.
    methods = sorted((record.strategy for record in context.journal.of("method")), key=lambda name: name == SOURCE)
    for name in methods:
        predicted = _predicted(context, name)["judged"][known].argmax(1)
        context.note(_oracle(context, both, name, y, predicted, source, groups, unknown=int((~known).sum())))


def _left_out(context: Context, both: Both, names: Sequence[str]) -> Record:
    """The judged images of classes that the source does not have, by these names."""
    return Record(
        "oracle/left_out",
        "oracle_left_out",
        data=both.fingerprint,
        part="judged",
        seed=context.options.seed,
        metrics={"n": len(names), "judged": len(both.target.judged)},
        detail={"counts": dict(sorted(Counter(names).items()))},
        reads_target_labels=True,
    )


def _oracle(
    context: Context,
    both: Both,
    name: str,
    y: np.ndarray,
    predicted: np.ndarray,
    source: np.ndarray,
    groups: np.ndarray,
    *,
    unknown: int,
) -> Record:
    metric = context.options.metric
    found = interval(y, predicted, groups, metric=metric)
    gain = paired(y, predicted, source, groups, metric=metric) if name != SOURCE else Difference(0.0, None, None)
    metrics: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
    metrics |= {each: float(function(y, predicted)) for each, function in METRICS.items()}
    metrics |= {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high}
    return Record(
        f"oracle/{name}",
        "oracle",
        data=both.fingerprint,
        part="judged",
        strategy=name,
        seed=context.options.seed,
        metrics=metrics,
        detail={"unknown": unknown},
        reads_target_labels=True,
    )


def _predicted(context: Context, name: str) -> dict[str, np.ndarray]:
    return kept_arrays(context.folder / "work" / f"method-{name}.safetensors")
