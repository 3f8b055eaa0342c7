"""The finalists: each is trained and judged on the same images, one record a finalist."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

import numpy as np

from headstart.advice import Plan
from headstart.backbones import Transferred
from headstart.data import folds
from headstart.evidence import interval, log_loss, softmax
from headstart.records import Record
from headstart.runs.context import Context, Prepared, keep_predictions, kept_predictions
from headstart.runs.dropping import Rivals
from headstart.runs.finetuning import Source, Trained, fine_tune, found, start_backbone
from headstart.runs.probing import features_of, head_rows, probe, rows_at
from headstart.shallow import arrays, fit_probe, head_module
from headstart.strategies import Strategy
from headstart.training import predict_logits

ANOTHER = 1_000_003
"""Added to the seed for each repeat; a prime, so that repeats of neighbouring seeds differ."""


@dataclass(frozen=True, eq=False)
class Replicate:
    """Images to fit to and to judge on, int64 (m,), with the seed of the training."""

    fit: np.ndarray
    judge: np.ndarray
    seed: int


def replicates(prepared: Prepared, plan: Plan, *, seed: int) -> list[Replicate]:
    """The training and the validation part; or folds of both together, drawn as often as planned."""
    split = prepared.split
    if plan.folds is None:
        return [Replicate(split.train, split.val, seed)]
    pool = np.sort(np.concatenate([split.train, split.val]))
    found = []
    for repeat in range(plan.repeats):
        drawn = (seed + repeat * ANOTHER) % 2**32
        parts = folds(prepared.y[pool], prepared.groups[pool], plan.folds, seed=drawn)
        found += [Replicate(pool[fit], pool[judge], drawn) for fit, judge in parts]
    return found


def run_candidate(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    label: str = "",
    raced: bool = True,
) -> Record:
    """The unit of work ``candidate/<label>``: train on every replicate, judge what it did not see.

    Parameters
    ----------
    label : of the record and of files under ``work/``; the strategy's name by default.
    raced : end it where it is shown to lose to those before it.
    """
    label = label or row.name
    key = f"candidate/{label}"
    finished = context.journal.get(key)
    if finished is not None:
        context.on_record(finished)
        return finished
    started = time.perf_counter()
    parts = replicates(prepared, plan, seed=context.options.seed)
    trained: list[Trained] = []
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    rivals = Rivals(context, prepared, row) if raced else None
    dropped = ""
    for number, part in enumerate(parts):
        if rivals and (dropped := rivals.beat(kept, of=len(parts))):
            break
        name, rival = f"{label}-{number}", rivals.loss(number) if rivals else None
        seeded = replace(context, options=replace(context.options, seed=part.seed))
        one = fit_strategy(seeded, prepared, plan, row=row, source=source, indices=part.fit, name=name, rival=rival)
        path = context.folder / "work" / f"{name}-predictions.safetensors"
        keep_predictions(path, part.judge, probabilities(context, prepared, one.model, part.judge))
        kept.append(kept_predictions(path))
        trained.append(one)
        if one.curve and one.curve.behind:
            dropped = f"Dropped in training {number + 1} of {len(parts)}: {one.curve.stopped}."
            break
    indices = np.concatenate([indices for indices, _ in kept])
    shares = np.concatenate([shares for _, shares in kept])
    together = f"work/{label}-predictions.safetensors"
    keep_predictions(context.folder / together, indices, shares)
    record = Record(
        key,
        "candidate",
        data=prepared.fingerprint,
        part="folds" if plan.folds else "val",
        backbone=trained[0].model.backbone.name,
        cut=trained[0].model.frozen if row.trains else "+".join(trained[0].model.cuts),
        strategy=row.name,
        seed=context.options.seed,
        recipe=trained[0].recipe,
        metrics=_judged(context, prepared, indices, shares),
        cost={
            "seconds": time.perf_counter() - started,
            "epochs": sum(t.curve.epoch for t in trained if t.curve),
            "images": sum(t.images for t in trained),
        },
        detail={
            "title": row.title,
            "control": row.control,
            "trainable": sum(p.numel() for p in trained[0].model.trainable()) + _head_size(trained[0].model),
            "parts": [asdict(part) for part in trained[0].model.parts()],
            "parameters": sum(p.numel() for p in trained[0].model.parameters()) + _head_size(trained[0].model),
            "curves": [t.curve.to_json() for t in trained if t.curve],
            "predictions": together,
            "trials": [list(t.trials) for t in trained if len(t.trials) > 1],
            **found(trained),
            "dropped": dropped,
            "note": " ".join(dict.fromkeys(note for note in (*(t.note for t in trained), dropped) if note)),
        },
    )
    context.note(record)
    for path in (context.folder / "work").glob(f"{label}-*-trial*.safetensors"):
        path.unlink(missing_ok=True)
    return record


def fit_strategy(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    name: str,
    again: bool = False,
    rival: float | None = None,
) -> Trained:
    """The model that a strategy makes of the images at `indices`.

    Parameters
    ----------
    name : of the checkpoint under ``work/``.
    rival : a loss that a cheaper training on these images has come down to.
    again : use the heads that were chosen already, instead of choosing on `indices`.
    """
    path = context.folder / "work" / f"{name}.safetensors"
    if not row.trains:
        return _fit_head(context, prepared, plan, row=row, source=source, indices=indices, again=again)
    return fine_tune(context, prepared, plan, row=row, source=source, indices=indices, checkpoint=path, rival=rival)


def probabilities(context: Context, prepared: Prepared, model: Transferred, indices: np.ndarray) -> np.ndarray:
    """Softmax of the model's logits, (m, k)."""
    batches = prepared.batches(indices, model.backbone.preprocessing, size=64, device=context.device)
    return softmax(predict_logits(model.to(context.device), batches))


def _fit_head(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    again: bool,
) -> Trained:
    backbone = start_backbone(context, row, source)
    features = source.features if row.pretrained else features_of(context, prepared, backbone)
    if row.pretrained and (again or plan.folds is None):
        chosen = source.probed.best
    else:
        title = f"heads on {backbone.name}"
        chosen = probe(context, prepared, features, indices=indices, title=title).best
    rows = head_rows(prepared, features, indices, memory=context.options.memory)
    estimator = fit_probe(chosen, rows_at(features, prepared, rows, chosen.cuts), prepared.y[rows])
    head = head_module(arrays(estimator))
    model = Transferred(backbone, head, cuts=chosen.cuts, frozen="top")
    recipe: dict[str, object] = {"head": chosen.head, "penalty": chosen.penalty}
    return Trained(model.eval(), recipe, None, len(rows), note=features.note)


def _judged(
    context: Context, prepared: Prepared, indices: np.ndarray, shares: np.ndarray
) -> dict[str, float | int | None]:
    y = prepared.y[indices]
    found = interval(y, shares.argmax(1), prepared.groups[indices], metric=context.options.metric)
    n = len(np.unique(indices))  # repeats judge an image more than once
    return {"value": found.value, "low": found.low, "high": found.high, "n": n, "log_loss": log_loss(y, shares)}


def _head_size(model: Transferred) -> int:
    """Numbers in a fitted shallow head, which stand in buffers, not in parameters."""
    return sum(buffer.numel() for buffer in model.head.buffers())
