"""Which surrogate task is worth it here: each learned for as long, then judged by what a few labels make of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.advice.surrogates import judge_surrogates
from headstart.backbones import Backbone, load, load_random, resolve
from headstart.data import MAX_PIXELS
from headstart.records import Record
from headstart.report.surrogates import draw_surrogates
from headstart.runs.caching import keep_within_limit
from headstart.runs.closing import unplanned_spent
from headstart.runs.context import Context
from headstart.runs.fit import torch_device
from headstart.runs.folder import open_journal, refuse_within
from headstart.runs.machine import cache_folder, give_back_memory, machine
from headstart.runs.material import Data
from headstart.runs.online import ALL, online_probe
from headstart.runs.options import text_of
from headstart.runs.pretrain import SPLIT, pretrain
from headstart.runs.study.begun import WHAT, hash_of, methods_there, refuse_other_images
from headstart.runs.study.few_labels import drawn, read_at, tuned_at
from headstart.runs.study.studying import PER_CLASS, Studying
from headstart.runs.study.suited import suited
from headstart.runs.study.surrogate_study import SurrogateStudy
from headstart.strategies import SURROGATES


def surrogates(
    data: Data,
    out: Path | str,
    *,
    labels: Path | str,
    by: Sequence[str] = (),
    against: Sequence[str] = ("packaged/efficientnet_lite0",),
    architecture: str = "resnet10t",
    images: int = 50_000,
    per_class: Sequence[int] = PER_CLASS,
    finetune: bool = True,
    repeats: int = 3,
    poses: Path | str | None = None,
    every: int = 1,
    apart: int = 10,
    seed: int = 0,
    size: int = 64,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> SurrogateStudy:
    """Learn each surrogate task on `data` for as many images, and see what a few labels make of each network.

    Beside them stand the same architecture with the random weights that each began from, and pretrained networks. All
    are read by a linear probe at every cut, and fine-tuned, with the same few labels, on the same images. A repeat has
    its own weights, labels and judged images, which no surrogate learns from.

    Parameters
    ----------
    data : unlabelled images, frames or videos, as `headstart.pretrain` takes them, from memory too.
    out : the folder. If it holds the same question, unfinished, it goes on where it was.
    labels : labelled images of the task that is meant.
    by : surrogate tasks; by default those that single images give and, of data that are frames in order, those of
        frames.
    against : pretrained backbones to compare with.
    images : that each surrogate goes through, counting every view: equal budgets.
    per_class : labels of a class.
    finetune : whether networks are fine-tuned too.
    repeats : with one, nothing is shown.
    architecture, poses, every, apart, seed, size, device, max_pixels, progress, on_record : as in
        `headstart.pretrain`; `poses` are for the surrogates that look at them.

    Returns
    -------
    What each surrogate is worth.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.
    """
    started = time.perf_counter()
    if isinstance(data, Iterator):  # gives its images once, and each surrogate reads them
        data = list(data)
    options = Studying(
        data=text_of(data) if isinstance(data, str | Path) else f"arrays {hash_of(data)}",
        backbones=tuple(resolve(against)) if against else (),
        seed=seed,
        size=size,
        split=SPLIT,
        device=device,
        max_pixels=max_pixels,
        methods=tuple(by),
        labels=text_of(labels),
        architecture=architecture,
        images=images,
        per_class=tuple(sorted(set(per_class))),
        finetune=finetune,
        repeats=repeats,
        poses=text_of(poses) if poses else "",
        every=every,
        apart=apart,
    )
    place, folder = torch_device(device), Path(out).expanduser()
    refuse_within(folder, *(one for one in (data, labels) if isinstance(one, str | Path)))
    methods, notes = options.methods or methods_there(folder), list[str]()
    if not methods:
        methods, why = suited(
            data, poses=bool(options.poses), every=every, apart=apart, max_pixels=max_pixels, progress=progress
        )
        notes = [why]
    options = replace(options, methods=methods)
    journal = open_journal(folder, options.to_json(), what=WHAT)
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    if journal.get("spent") is None:
        keep_within_limit(cache_folder())
        _work(context, data, notes, started=started)
    draw_surrogates(folder)
    return SurrogateStudy(folder)


def _work(context: Context, data: Data, notes: Sequence[str], *, started: float) -> None:
    """Repeat by repeat: every surrogate is learned, then all networks are judged."""
    options = context.options
    assert isinstance(options, Studying)
    random = f"random/{options.architecture}"
    for repeat in range(options.repeats):
        seed = options.seed + repeat
        for name in options.methods:
            if context.journal.get(_key(name, seed)) is None:
                learned = _learned(context, data, name, seed)
                refuse_other_images(context, learned, _folder(context, name, seed))
                if context.journal.get("plan") is None:  # once there is something that could be learned from
                    _plan(context, notes)
                context.note(learned)
        runs = {name: f"run:{_folder(context, name, seed)}" for name in options.methods}
        for name, backbone in ({random: random} | runs | {one: one for one in options.backbones}).items():
            _judged(context, name, backbone, seed)
            give_back_memory()
    _verdict(context, random)
    context.note(unplanned_spent(context, started, closing=("verdict",)))


def _key(name: str, seed: int) -> str:
    return f"learned/{name}/{seed}"


def _folder(context: Context, name: str, seed: int) -> Path:
    return context.folder / "pretrained" / f"{name}-{seed}"


def _learned(context: Context, data: Data, name: str, seed: int) -> Record:
    """One surrogate's network; the epochs are those that come nearest to the images asked for."""
    options = context.options
    assert isinstance(options, Studying)
    started = time.perf_counter()

    def progress(stage: str, done: int, total: int) -> None:
        context.progress(f"{name}, seed {seed}: {stage}", done, total)

    run = pretrain(
        data,
        _folder(context, name, seed),
        by=name,
        architecture=options.architecture,
        probe=options.labels,
        poses=(options.poses or None) if SURROGATES[name].needs == "motion" else None,
        every=options.every,
        apart=options.apart,
        seen=options.images,
        seed=seed,
        size=options.size,
        device=options.device,
        max_pixels=options.max_pixels,
        progress=progress,
    )
    training, read, epochs = run.records.get("training"), run.records.get("data"), run.records.of("epoch")
    assert training is not None and read is not None
    last = epochs[-1].metrics
    cost = {"seconds": time.perf_counter() - started, "images": training.cost["images"]}
    metrics = {name: last[name] for name in ("solved", "chance", "collapsed")}
    key = _key(name, seed)
    detail = {"images": read.detail["images"]}
    return Record(
        key, "learned", data=training.data, strategy=name, seed=seed, metrics=metrics, cost=cost, detail=detail
    )


def _plan(context: Context, notes: Sequence[str]) -> None:
    options = context.options
    assert isinstance(options, Studying)
    networks = (f"random/{options.architecture}", *options.methods, *options.backbones)
    seeds = range(options.seed, options.seed + options.repeats)
    units = [(_key(name, seed), f"{name}, seed {seed}") for seed in seeds for name in options.methods]
    units += [(f"judged/{name}/{seed}", f"judging {name}, seed {seed}") for seed in seeds for name in networks]
    told = [{"key": key, "name": name, "seconds": None} for key, name in [*units, ("closing", "comparing")]]
    detail = {"options": options.to_json(), "units": told, "machine": machine(), "notes": list(notes)}
    context.note(Record("plan", WHAT, seed=options.seed, detail=detail))


def _judged(context: Context, name: str, backbone: str, seed: int) -> None:
    """What a few labels make of one network; the record ``judged/<name>/<seed>``."""
    options = context.options
    assert isinstance(options, Studying)
    key = f"judged/{name}/{seed}"
    if context.journal.get(key) is not None:
        return
    started = time.perf_counter()
    online = online_probe(replace(context, options=replace(options, seed=seed)), options.labels, most=None)
    assert online is not None
    sets = drawn(online, options.per_class, seed=seed)

    def begin() -> Backbone:
        if backbone.startswith("random/"):
            return load_random(backbone.partition("/")[2], size=options.size, seed=seed)
        return load(backbone, size=options.size)

    read = read_at(online, begin().to(context.device), sets)
    detail: dict[str, Any] = {
        "labels": {str(k): len(rows) for k, rows in sets.items()},
        "probe": {str(k): {cut: float(right.mean()) for cut, right in cuts.items()} for k, cuts in read.items()},
        "finetune": {},
    }
    if options.finetune:
        path = context.folder / "work" / f"{name.replace('/', '-')}-{seed}"
        tuned = tuned_at(
            online,
            begin,
            sets,
            seed=seed,
            device=context.device,
            checkpoint=path,
            progress=lambda stage, done, total: context.progress(f"{name}, seed {seed}: {stage}", done, total),
        )
        detail["finetune"] = {str(k): float(right.mean()) for k, right in tuned.items()}
    cost = {"seconds": time.perf_counter() - started}
    data = online.prepared.fingerprint
    metrics = {"n": len(online.judged)}
    context.note(
        Record(
            key, "judged", data=data, part="test", backbone=name, seed=seed, metrics=metrics, cost=cost, detail=detail
        )
    )


def _verdict(context: Context, random: str) -> None:
    options = context.options
    assert isinstance(options, Studying)
    if context.journal.get("verdict") is not None:
        return
    judged = context.journal.of("judged")
    names = list(dict.fromkeys(record.backbone for record in judged))
    found: dict[str, dict[int, dict[str, list[float]]]] = {
        "probe": {},
        **({"finetune": {}} if options.finetune else {}),
    }
    for k in options.per_class:
        by_name = {name: [r.detail for r in judged if r.backbone == name] for name in names}
        found["probe"][k] = {name: [one["probe"][str(k)][ALL] for one in rows] for name, rows in by_name.items()}
        if options.finetune:
            found["finetune"][k] = {name: [one["finetune"][str(k)] for one in rows] for name, rows in by_name.items()}
    titles = {name: SURROGATES[name].title for name in options.methods}
    worth = judge_surrogates(found, random=random, titles=titles)
    gains = {
        way: {
            str(k): {name: asdict(gain) | {"shown": gain.shown} for name, gain in one.items()} for k, one in by.items()
        }
        for way, by in worth.gains.items()
    }
    means = {
        way: {str(k): {name: float(np.mean(one)) for name, one in by.items()} for k, by in values.items()}
        for way, values in found.items()
    }
    detail = {"sentence": worth.sentence, "reasons": list(worth.reasons), "gains": gains, "means": means}
    context.note(Record("verdict", "verdict", part="test", seed=options.seed, detail=detail | {"random": random}))
