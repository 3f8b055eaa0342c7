"""The ways that are compared for several tasks, the verdict over them, and the test of what is handed back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from headstart.advice.joint import Joined, TaskFound, decide_joint
from headstart.backbones import Transferred, load
from headstart.evidence import interval, simultaneous, softmax
from headstart.evidence.several import mean_over_tasks, paired_over_tasks
from headstart.records import Record
from headstart.runs.context import Context, keep_predictions, kept_predictions
from headstart.runs.finetuning import keep_model, kept_model
from headstart.runs.heads import BATCH, Heads, frozen_network, train_network
from headstart.runs.several import Several
from headstart.training import Curve, predict_logits

LEVEL = 0.95
ROUNDS, TIMED = 5, 64
"""Rounds in which networks are timed in turn, the quickest of which counts, and the images of each."""


def run_frozen(context: Context, several: Several, heads: Heads) -> None:
    """The record ``frozen``: the network as it came, a head for every task."""
    if _told(context, "frozen"):
        return
    started = time.perf_counter()
    model, every = frozen_network(context, heads), range(len(several.sizes))
    record = _judged(context, several, model, every, key="frozen", title="Frozen network, a head for each task")
    cost = {"seconds": heads.told["seconds"] + time.perf_counter() - started, "images": heads.told["images"]}
    context.note(_with(record, model, recipe={"heads": heads.told["heads"]}, cost=cost, curve=None))


def run_trained(context: Context, several: Several, heads: Heads, *, tasks: Sequence[int], key: str) -> None:
    """The record `key`: one network trained for these tasks, which may be one; its weights stay in ``work/``."""
    if _told(context, key):
        return
    started = time.perf_counter()
    named = several.tasks.names[tasks[0]]
    title = f"Trained for {named} alone" if len(tasks) == 1 else "Trained together"
    stem = context.folder / "work" / f"{_stem(several, key)}.safetensors"
    model, curve, recipe = train_network(context, several, heads, tasks=tasks, checkpoint=stem, title=title)
    keep_model(stem.with_name(f"{stem.stem}-model.safetensors"), model)
    record = _judged(context, several, model, tasks, key=key, title=title)
    images = curve.epoch * len(several.having(several.fit, tasks))
    cost = {"seconds": time.perf_counter() - started, "epochs": curve.epoch, "images": images}
    context.note(_with(record, model, recipe=recipe, cost=cost, curve=curve))
    stem.unlink(missing_ok=True)


def reach_joint(context: Context, several: Several, heads: Heads) -> str:
    """Which way is handed back; the records ``costs`` and ``verdict``."""
    if not _told(context, "costs"):
        context.note(_costs(context, several, heads))
    if not _told(context, "verdict"):
        context.note(_verdict(context, several))
    record = context.journal.get("verdict")
    assert record is not None
    return record.strategy


def handed_back(context: Context, several: Several, heads: Heads, *, chosen: str) -> Transferred:
    """The model that was judged, and no other: nothing is trained anew."""
    return frozen_network(context, heads) if chosen == "frozen" else _kept(context, several, "joint")


def test_tasks(context: Context, several: Several, model: Transferred) -> None:
    """Score what is handed back on the test part, once; the record ``test``."""
    indices = several.prepared.split.test
    if _told(context, "test") or not len(indices):
        return
    started = time.perf_counter()
    shares = _shares(context, several, model, indices, several.sizes)
    verdict = context.journal.get("verdict")
    assert verdict is not None
    record = _record(context, several, indices, shares, range(len(several.sizes)), key="test", part="test")
    cost = {"seconds": time.perf_counter() - started, "images": len(indices)}
    context.note(Record(**{**vars(record), "what": "test", "strategy": verdict.strategy, "cost": cost}))


def _told(context: Context, key: str) -> bool:
    record = context.journal.get(key)
    if record is not None:
        context.on_record(record)
    return record is not None


def _stem(several: Several, key: str) -> str:
    """Of files in ``work/``: names of tasks are foreign text."""
    way, _, name = key.partition("/")
    return f"{way}-{several.tasks.names.index(name)}" if name else way


def _kept(context: Context, several: Several, key: str) -> Transferred:
    (name,), stem = context.options.backbones, _stem(several, key)
    task = key.partition("/")[2]
    classes = several.sizes[several.tasks.names.index(task)] if task else sum(several.sizes)
    backbone = load(name, size=context.options.size)
    model = kept_model(context.folder / "work" / f"{stem}-model.safetensors", backbone, classes=classes, frozen="")
    return model.to(context.device)


def _shares(
    context: Context, several: Several, model: Transferred, indices: np.ndarray, sizes: Sequence[int]
) -> np.ndarray:
    """Probabilities (n, Σ k) of images, those of each task side by side."""
    every = range(len(several.sizes))
    batches = several.batches(indices, every, model.backbone.preprocessing, size=BATCH, device=context.device)
    logits = np.split(predict_logits(model, batches), np.cumsum(sizes)[:-1], axis=1)
    return np.concatenate([softmax(own) for own in logits], axis=1)


def _named(shares: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Probabilities of tasks side by side → classes (n, m)."""
    return np.stack([own.argmax(1) for own in np.split(shares, np.cumsum(sizes)[:-1], axis=1)], axis=1)


def _judged(
    context: Context, several: Several, model: Transferred, tasks: Sequence[int], *, key: str, title: str
) -> Record:
    """The validation part as a network names it, kept for the verdict."""
    indices = several.prepared.split.val
    path = context.folder / "work" / f"{_stem(several, key)}-predictions.safetensors"
    keep_predictions(path, indices, _shares(context, several, model, indices, [several.sizes[t] for t in tasks]))
    record = _record(context, several, *kept_predictions(path), tasks, key=key, part="val")
    record.detail["title"] = title
    return record


def _record(
    context: Context,
    several: Several,
    indices: np.ndarray,
    shares: np.ndarray,
    tasks: Sequence[int],
    *,
    key: str,
    part: str,
) -> Record:
    """The metric of each task over the images that have a label of it, and its mean over the tasks."""
    metric, groups, found = context.options.metric, several.prepared.groups[indices], []
    y = several.labels(indices, tasks)
    predicted = _named(shares, [several.sizes[t] for t in tasks])
    for place, t in enumerate(tasks):
        there = y[:, place] >= 0
        one = interval(y[there, place], predicted[there, place], groups[there], metric=metric)
        found.append({"task": several.tasks.names[t], **asdict(one)})
    return Record(
        key,
        "candidate",
        data=several.prepared.fingerprint,
        part=part,
        backbone=context.options.backbones[0],
        strategy=key,
        seed=context.options.seed,
        metrics={"value": float(mean_over_tasks(y, predicted, metric=metric)), "n": len(indices)},
        detail={"tasks": found},
    )


def _with(
    record: Record, model: Transferred, *, recipe: dict[str, Any], cost: dict[str, Any], curve: Curve | None
) -> Record:
    """The record of a way with what it is made of and how it came about."""
    detail = {
        **record.detail,
        "parts": [asdict(part) for part in model.parts()],
        "parameters": sum(tensor.numel() for tensor in (*model.parameters(), *model.head.buffers())),
        "curves": [curve.to_json()] if curve else [],
    }
    cut = "+".join(model.cuts) if curve is None else ""
    return Record(**{**vars(record), "cut": cut, "recipe": recipe, "cost": cost, "detail": detail})


def _costs(context: Context, several: Several, heads: Heads) -> Record:
    """What one network for all tasks takes, and what one for each would: parameters, and seconds a hundred images."""
    names = several.tasks.names
    models = {"frozen": frozen_network(context, heads), "joint": _kept(context, several, "joint")}
    models |= {name: _kept(context, several, f"alone/{name}") for name in names}
    rows = several.prepared.split.val[:TIMED]
    x = models["joint"].backbone.preprocessing.tensor(several.prepared.survey.pixels(rows), device=context.device)
    took: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for number in range(ROUNDS):
            for name, model in models.items():
                started = time.perf_counter()
                model(x).cpu()  # what a GPU still computes is waited for
                took[name].append(time.perf_counter() - started)
            context.progress("timing the networks", number + 1, ROUNDS)
    seconds = {name: 100 / len(rows) * min(rounds) for name, rounds in took.items()}
    sizes = {key: record.detail["parameters"] for record in context.journal.of("candidate") if (key := record.key)}
    return Record(
        "costs",
        "costs",
        data=several.prepared.fingerprint,
        metrics={
            "one": {way: {"parameters": sizes[way], "seconds": seconds[way]} for way in ("frozen", "joint")},
            "separate": {
                "parameters": sum(sizes[f"alone/{name}"] for name in names),
                "seconds": sum(seconds[name] for name in names),
            },
        },
        detail={"images": 100, "timed": len(rows), "networks": len(names)},
    )


def _verdict(context: Context, several: Several) -> Record:
    metric, work = context.options.metric, context.folder / "work"
    indices, joint = kept_predictions(work / "joint-predictions.safetensors")
    frozen = kept_predictions(work / "frozen-predictions.safetensors")[1]
    y, groups = several.tasks.y[indices], several.prepared.groups[indices]
    together, as_it_came = (_named(shares, several.sizes) for shares in (joint, frozen))
    mean = paired_over_tasks(y, together, as_it_came, groups, metric=metric, level=LEVEL)
    found = []
    for t, name in enumerate(several.tasks.names):
        there = y[:, t] >= 0
        alone = kept_predictions(work / f"alone-{t}-predictions.safetensors")[1].argmax(1)
        named = {"joint": together[there, t], "frozen": as_it_came[there, t], "alone": alone[there]}
        pairs = [("joint", "alone"), ("joint", "frozen"), ("alone", "frozen")]
        # Each task gets its share of the error that all of them may make.
        level = 1 - (1 - LEVEL) / len(several.sizes)
        three = simultaneous(y[there, t], named, pairs, groups[there], metric=metric, level=level)
        found.append(TaskFound(name, *(three[pair] for pair in pairs)))
    curves = [curve for record in context.journal.of("candidate") for curve in record.detail["curves"]]
    improving = any(curve["still_improving"] for curve in curves)
    joined = decide_joint(mean, found, margin=context.options.margin, improving=improving)
    return _told_verdict(context, several, joined, {"mean": asdict(mean), "found": [asdict(one) for one in found]})


def _told_verdict(context: Context, several: Several, joined: Joined, detail: dict[str, Any]) -> Record:
    return Record(
        "verdict",
        "verdict",
        data=several.prepared.fingerprint,
        part="val",
        strategy=joined.chosen,
        backbone=context.options.backbones[0],
        seed=context.options.seed,
        detail={**asdict(joined), **detail, "level": LEVEL, "margin": context.options.margin},
    )
