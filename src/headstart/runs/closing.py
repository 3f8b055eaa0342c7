"""The model that is handed back: fitted, tested once, written as a bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart import __version__
from headstart.advice import Plan
from headstart.backbones import Transferred
from headstart.bundle.learned import write_learned
from headstart.bundle.save import save
from headstart.data import Survey
from headstart.evidence import METRICS, calibration_error, confusion, interval, log_loss
from headstart.problem import Task
from headstart.records import Record, writing
from headstart.runs.candidates import fit_strategy, probabilities
from headstart.runs.context import Context, Prepared, keep_predictions
from headstart.runs.finetuning import Source, Trained, found, kept_model, start_backbone
from headstart.runs.machine import peak_bytes
from headstart.runs.thumbs import keep_picture
from headstart.strategies import TABLE, frozen_cut

SHOWN_MISTAKES = 12
NEIGHBOURS = 3
SEARCHED = 2000
"""Training images among which the nearest ones to a mistake are looked for, at most."""


def fit_final(context: Context, prepared: Prepared, plan: Plan, *, chosen: str, source: Source) -> Transferred:
    """The chosen strategy on training and validation images together, adapters merged; the record ``final``.

    Where training from scratch is chosen, the finalist itself is handed back: its many epochs are not
    planned twice. After folds there is no single finalist, so whatever is chosen is trained once more.
    """
    row = TABLE[chosen]
    both = np.sort(np.concatenate([prepared.split.train, prepared.split.val]))
    started = time.perf_counter()
    refit = row.pretrained or not row.trains or plan.folds is not None
    if refit:
        made = fit_strategy(context, prepared, plan, row=row, source=source, indices=both, name="final", again=True)
    else:
        made = _finalist(context, prepared, chosen=chosen, source=source)
    if context.journal.get("final") is None:
        context.note(_final_record(context, prepared, made, chosen=chosen, refit=refit, started=started))
    for path in (context.folder / "work").glob("final-trial*.safetensors"):
        path.unlink(missing_ok=True)
    return made.model.merged()


def _finalist(context: Context, prepared: Prepared, *, chosen: str, source: Source) -> Trained:
    row = TABLE[chosen]
    record = context.journal.get(f"candidate/{chosen}")
    assert record is not None
    backbone = start_backbone(context, row, source)
    path = context.folder / "work" / f"{chosen}-0-model.safetensors"
    model = kept_model(path, backbone, classes=prepared.k, frozen=frozen_cut(row, backbone.cuts))
    return Trained(model, record.recipe, None, 0)


def _final_record(
    context: Context, prepared: Prepared, made: Trained, *, chosen: str, refit: bool, started: float
) -> Record:
    model = made.model
    return Record(
        "final",
        "final",
        data=prepared.fingerprint,
        part="train+val" if refit else "train",
        backbone=model.backbone.name,
        cut=model.frozen if TABLE[chosen].trains else "+".join(model.cuts),
        strategy=chosen,
        seed=context.options.seed,
        recipe=made.recipe,
        cost={"seconds": time.perf_counter() - started, "images": made.images},
        detail={
            "curves": [made.curve.to_json()] if made.curve else [],
            "trials": [list(made.trials)] if len(made.trials) > 1 else [],
            **found([made]),
            "refit": refit,
            "title": TABLE[chosen].title,
            "note": made.note,
            "parts": [asdict(part) for part in model.parts()],
        },
    )


def test_once(context: Context, prepared: Prepared, model: Transferred) -> None:
    """Score the final model, and no other, on the test part; the record ``test``."""
    indices = prepared.split.test
    if context.journal.get("test") is not None or not len(indices):
        return
    started = time.perf_counter()
    shares = probabilities(context, prepared, model, indices)
    keep_predictions(context.folder / "work" / "test-predictions.safetensors", indices, shares)
    y, predicted = prepared.y[indices], shares.argmax(1)
    found = interval(y, predicted, prepared.groups[indices], metric=context.options.metric)
    metrics: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
    metrics |= {name: float(metric(y, predicted)) for name, metric in METRICS.items()}
    metrics |= {"log_loss": log_loss(y, shares), "calibration_error": calibration_error(y, shares)}
    counts = confusion(y, predicted, prepared.k)
    classes = prepared.labelled.task.classes
    detail = {
        "classes": list(classes),
        "metric": context.options.metric,
        "confusion": counts.tolist(),
        "per_class": _per_class(classes, counts),
        "mistakes": _mistakes(context, prepared, model, indices=indices, shares=shares),
    }
    cost = {"seconds": time.perf_counter() - started, "images": len(indices)}
    context.note(
        Record(
            "test",
            "test",
            data=prepared.fingerprint,
            part="test",
            strategy=_chosen(context),
            backbone=model.backbone.name,
            seed=context.options.seed,
            metrics=metrics,
            cost=cost,
            detail=detail,
        )
    )


def _chosen(context: Context) -> str:
    verdict = context.journal.get("verdict")
    return verdict.strategy if verdict else ""


def _per_class(classes: tuple[str, ...], counts: np.ndarray) -> list[dict[str, Any]]:
    truly, said, right = counts.sum(1), counts.sum(0), counts.diagonal()
    return [
        {
            "class": name,
            "n": int(truly[k]),
            "recall": float(right[k] / truly[k]) if truly[k] else None,
            "precision": float(right[k] / said[k]) if said[k] else None,
        }
        for k, name in enumerate(classes)
    ]


def _mistakes(
    context: Context, prepared: Prepared, model: Transferred, *, indices: np.ndarray, shares: np.ndarray
) -> list[dict[str, Any]]:
    """The most confident wrong answers, each with the training images that look most like it to the model."""
    y, predicted = prepared.y[indices], shares.argmax(1)
    wrong = np.flatnonzero(predicted != y)
    worst = wrong[np.argsort(-shares[wrong, predicted[wrong]], kind="stable")][:SHOWN_MISTAKES]
    if not len(worst):
        return []
    train = prepared.split.train
    if len(train) > SEARCHED:
        train = np.random.default_rng(context.options.seed).choice(train, SEARCHED, replace=False)
    z_train, z_wrong = (
        _unit_features(context, prepared, model, train),
        _unit_features(context, prepared, model, indices[worst]),
    )
    nearest = np.argsort(-(z_wrong @ z_train.T), axis=1, kind="stable")[:, :NEIGHBOURS]
    classes, label_of = prepared.labelled.task.classes, prepared.labelled.x.label_of
    return [
        {
            "path": label_of(indices[at]),
            "truth": classes[y[at]],
            "predicted": classes[predicted[at]],
            "probability": float(shares[at, predicted[at]]),
            "picture": thumbnail(context, prepared.survey, int(indices[at])),
            "neighbours": [
                {
                    "path": label_of(i),
                    "class": classes[prepared.y[i]],
                    "picture": thumbnail(context, prepared.survey, int(i)),
                }
                for i in train[nearest[row]]
            ],
        }
        for row, at in enumerate(worst)
    ]


def _unit_features(context: Context, prepared: Prepared, model: Transferred, indices: np.ndarray) -> np.ndarray:
    batches = prepared.batches(indices, model.backbone.preprocessing, size=64, device=context.device)
    parts = []
    with torch.inference_mode():
        for done, batch in enumerate(batches.in_order(), 1):
            parts.append(torch.nn.functional.normalize(model.features(batch.x), dim=1).cpu().numpy())
            context.progress("nearest training images", min(64 * done, len(indices)), len(indices))
    return np.concatenate(parts)


def thumbnail(context: Context, looked: Survey, index: int) -> str:
    """A thumbnail as the network saw the image, under the run's ``pictures/``."""
    return keep_picture(context.folder, looked, index)


def write_bundle(
    context: Context,
    prepared: Prepared,
    model: Transferred,
    *,
    learned: Iterable[str],
    tasks: Sequence[tuple[str, Task]] = (),
) -> None:
    """Write the model as a bundle; the record ``bundle``.

    Parameters
    ----------
    learned : content ids of the images that the backbone was fitted to; none where it was frozen.
    tasks : names and label spaces, where the model's logits are those of several tasks side by side.
    """
    if context.journal.get("bundle") is not None:
        return
    started = time.perf_counter()
    context.progress("writing the bundle", 0, 1)
    sample = prepared.survey.pixels(prepared.split.train[:8])
    about = {
        "headstart": __version__,
        "strategy": _chosen(context),
        "seed": context.options.seed,
        "data": prepared.fingerprint,
    }
    classes = prepared.labelled.task.classes
    named = [(name, space.classes) for name, space in tasks]
    write_learned(context.folder, learned, start=model.backbone.name)
    facts = save(context.folder, model, classes=classes, sample=sample, about=about, tasks=named)
    context.progress("writing the bundle", 1, 1)
    cost = {"seconds": time.perf_counter() - started}
    context.note(Record("bundle", "bundle", data=prepared.fingerprint, cost=cost, detail=facts))


def write_metrics(folder: Path, record: Record | None) -> None:
    """``metrics.json``: the test metrics, for programs."""
    metrics = record.metrics if record else {}
    with writing(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1) + "\n")


def unplanned_spent(context: Context, started: float, *, closing: Sequence[str]) -> Record:
    """The record ``spent`` of a run that is not planned to the second: what each unit of its plan took.

    Parameters
    ----------
    started : `time.perf_counter` at the beginning.
    closing : keys of the records that the unit ``closing`` consists of.
    """
    plan = context.journal.get("plan")
    assert plan is not None
    stages = []
    for unit in plan.detail["units"]:
        keys = closing if unit["key"] == "closing" else (unit["key"],)
        written = [record for key in keys if (record := context.journal.get(key)) is not None]
        spent = sum(record.cost.get("seconds", 0.0) for record in written)
        stages.append({"key": unit["key"], "name": unit["name"], "planned_s": unit["seconds"], "spent_s": spent})
    total = max(time.perf_counter() - started, sum(stage["spent_s"] for stage in stages))
    detail = {"stages": stages, "budget_s": plan.detail.get("budget_s"), "total_s": total, "peak_bytes": peak_bytes()}
    return Record("spent", "spent", cost={"seconds": total}, detail=detail)
