"""Learning without labels of the task at hand: images in, a backbone out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from torch import nn

from headstart import __version__
from headstart.advice.pretraining import judge_pretraining
from headstart.backbones import Backbone, Transferred, resolve
from headstart.bundle.backbone import save_backbone
from headstart.bundle.learned import write_learned
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError
from headstart.problem import Labelled
from headstart.records import Record, writing
from headstart.report.pretraining import draw_pretraining, pretraining_card
from headstart.runs.beginning import as_model, begin, planned
from headstart.runs.caching import keep_within_limit
from headstart.runs.closing import unplanned_spent
from headstart.runs.context import Context
from headstart.runs.fit import torch_device
from headstart.runs.folder import open_journal, refuse_within
from headstart.runs.machine import cache_folder
from headstart.runs.material import Data, Material, read_material
from headstart.runs.online import ALL, OnlineProbe, online_probe
from headstart.runs.options import Pretraining, parse_budget, text_of
from headstart.runs.preparing import LISTED
from headstart.runs.pretrained import PretrainedRun
from headstart.runs.showing import show_sets
from headstart.runs.surrogates import Posed, pose, side_of
from headstart.runs.watching import Watch
from headstart.strategies import SURROGATES, SurrogateTask
from headstart.training import Recipe, train

CHECKPOINT = "work/pretraining.safetensors"
SPLIT = (0.6, 0.2, 0.2)
"""Of the labelled images that the network is watched on."""


def pretrain(
    data: Data,
    out: Path | str,
    *,
    by: str,
    architecture: str = "resnet10t",
    start: str = "",
    probe: Path | str | Labelled | None = None,
    poses: Path | str | None = None,
    classes: int = 0,
    clusters: int = 0,
    every: int = 1,
    apart: int = 10,
    budget: str | float = "10m",
    epochs: int | None = None,
    seen: int | None = None,
    seed: int = 0,
    size: int = 64,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> PretrainedRun:
    """A network that has learned a surrogate task on `data`, as a backbone for `fit`.

    Parameters
    ----------
    data : a folder of images, of frames in order or of videos, a labelled folder or table, or uint8 arrays: what the
        method needs. Images from memory are one array (n, h, w) or (n, h, w, c), or a list or generator of such or of
        single images; frames are one array for each sequence, or single images, which are one sequence.
    out : the run's folder, ``run:OUT`` or ``file:OUT`` as a backbone. If it holds the same question, unfinished, the
        run goes on where it was.
    by : a row of `headstart.strategies.SURROGATES`.
    architecture : timm's name; its random weights depend on `seed`.
    start : a backbone to go on from instead, by its name.
    probe : labelled images that the network is watched on; their test part is kept out of what is learned from.
    poses : table of the camera's poses, or of actions, beside frames.
    classes, clusters : of ``exemplar``: pseudo-classes, by default one an image, and to how many they are put together.
    every : of a video, each so many-th frame.
    apart : frames of a sequence between two from which they count as distant.
    budget : time for all of it, from which epochs are planned where none are asked for.
    seen : images to go through instead, counting every view: whole epochs, as near to it as they come.
    seed : of first weights, order and views.
    size, device, max_pixels, progress, on_record : as in `headstart.fit`.

    Returns
    -------
    The finished run: what was learned, records, the name of the backbone.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.
    """
    started = time.perf_counter()
    if by not in SURROGATES:
        raise OptionError(f"There is no surrogate task {by}.", f"Choose among {', '.join(SURROGATES)}.")
    names = resolve([start or f"random/{architecture}"])
    if len(names) != 1:
        raise OptionError(f"{start} names {len(names)} backbones.", "Name one.")
    options = Pretraining(
        data=text_of(data) if isinstance(data, str | Path) else "arrays",
        backbones=(names[0],),
        seed=seed,
        size=size,
        split=SPLIT,
        device=device,
        max_pixels=max_pixels,
        method=by,
        budget=parse_budget(budget),
        epochs=epochs,
        seen=seen,
        poses=text_of(poses) if poses else "",
        probe="arrays" if isinstance(probe, Labelled) else text_of(probe) if probe else "",
        classes=classes,
        clusters=clusters,
        every=every,
        apart=apart,
    )
    place, folder = torch_device(device), Path(out).expanduser()
    refuse_within(folder, *(one for one in (data, probe) if isinstance(one, str | Path)))
    journal = open_journal(folder, options.to_json(), what="pretraining")
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    if journal.get("spent") is not None:
        for record in journal:
            on_record(record)
    else:
        keep_within_limit(cache_folder())
        _work(context, data, probe, started=started)
    _draw(folder)
    return PretrainedRun(folder)


def _work(context: Context, data: Data, probe: Path | str | Labelled | None, *, started: float) -> None:
    """The line of the house, from images to a backbone."""
    options = context.options
    assert isinstance(options, Pretraining)
    row = SURROGATES[options.method]
    online = online_probe(context, probe)
    read_at = time.perf_counter()
    material = read_material(
        data,
        row,
        options,
        side=side_of(row, options.size),
        cache=context.cache,
        progress=context.progress,
        without=online.kept_out if online else (),
    )
    backbone = begin(options)
    posed = pose(row, material, backbone.preprocessing, options, device=context.device)
    if options.seen is not None and options.seen < posed.feed.count * row.seen:
        posed = replace(posed, feed=replace(posed.feed, each=max(1, options.seen // row.seen)))
    found = _data_record(material, posed, online, seconds=time.perf_counter() - read_at)
    recipe = planned(context, row, posed, found, started=started)
    if context.journal.get("shown") is None:
        context.note(show_sets(context, row, material, posed))
    model = _trained(context, row, material, posed, recipe, online)
    _probed(context, model.backbone, online)
    _verdict(context, row)
    if context.journal.get("bundle") is None:
        about = {"headstart": __version__, "method": row.name, "seed": options.seed, "data": material.fingerprint}
        learned = (key for key, use in zip(material.looked.ids, material.usable, strict=True) if use)
        write_learned(context.folder, learned, start=options.backbones[0])
        facts = save_backbone(context.folder, model.backbone, about=about | {"backbone": options.backbones[0]})
        context.note(Record("bundle", "bundle", data=material.fingerprint, detail=facts))
    context.note(unplanned_spent(context, started, closing=("cuts", "verdict", "bundle")))
    (context.folder / CHECKPOINT).unlink(missing_ok=True)


def _data_record(material: Material, posed: Posed, online: OnlineProbe | None, *, seconds: float) -> Record:
    domain, looked = material.looked.domain, material.looked
    return Record(
        "data",
        "material",
        data=material.fingerprint,
        metrics={"images": len(looked), "broken": len(material.broken), "used": int(material.usable.sum())},
        cost={"seconds": seconds, "images": len(looked)},
        detail={
            "root": str(domain.root or domain.name),
            "images": looked.fingerprint(np.empty(0)),
            "sets": posed.told,
            "sequences": list(material.frames.names) if material.frames else [],
            "probe": online.prepared.fingerprint if online else "",
            "broken": [{"path": path, "reason": why} for path, why in material.broken[:LISTED]],
            "notes": list(material.notes),
        },
    )


def _trained(
    context: Context,
    row: SurrogateTask,
    material: Material,
    posed: Posed,
    recipe: Recipe,
    online: OnlineProbe | None,
) -> Transferred:
    """The network at its last epoch; the records ``epoch/<n>`` and ``training``."""
    options = context.options
    model = as_model(begin(options), context.device)
    objective = posed.start(model.backbone.widths["top"], recipe.epochs)
    if isinstance(objective, nn.Module):
        objective.to(context.device)
    watch = Watch(context, material, posed, objective, probe=online, epochs=recipe.epochs)
    before = context.journal.get("training")
    for record in context.journal.of("epoch"):
        context.on_record(record)
    curve = train(
        model,
        posed.feed,
        objective=objective,
        recipe=recipe,
        seed=options.seed,
        evaluate=watch,
        checkpoint=context.folder / CHECKPOINT,
        progress=watch.progress,
    )
    if before is None:
        # An interrupted training has parts in more than one process: each epoch knows its own.
        seconds = sum(record.cost.get("seconds", 0.0) for record in context.journal.of("epoch"))
        cost = {"seconds": seconds, "images": recipe.epochs * posed.feed.drawn * row.seen}
        detail = {"curves": [curve.to_json()], "title": row.title, "parts": [asdict(part) for part in model.parts()]}
        context.note(
            Record(
                "training",
                "training",
                data=material.fingerprint,
                backbone=options.backbones[0],
                strategy=row.name,
                seed=options.seed,
                recipe=asdict(recipe),
                cost=cost,
                detail=detail,
            )
        )
    return model


def _probed(context: Context, backbone: Backbone, online: OnlineProbe | None) -> None:
    """A linear probe at every cut, and at all of them together, before and after; the record ``cuts``."""
    if online is None or context.journal.get("cuts") is not None:
        return
    started = time.perf_counter()
    cuts = tuple(cut for cut in backbone.cuts if cut != "logits")
    begun = begin(context.options)
    before, after = (
        online.named(online.features(one, cuts, joined=True)) for one in (begun.to(context.device), backbone)
    )
    found = {
        cut: {
            "before": asdict(online.value(before[cut])),
            "after": asdict(online.value(after[cut])),
            "gain": asdict(online.difference(after[cut], before[cut])),
        }
        for cut in after
    }
    every = found[ALL]["after"]
    detail = {"cuts": found, "fitted": len(online.fitted), "classes": list(online.prepared.labelled.task.classes)}
    context.note(
        Record(
            "cuts",
            "cuts",
            data=online.prepared.fingerprint,
            part="test",
            metrics={name: every[name] for name in ("value", "low", "high", "n")},
            cost={"seconds": time.perf_counter() - started},
            detail=detail,
        )
    )


def _verdict(context: Context, row: SurrogateTask) -> None:
    if context.journal.get("verdict") is not None:
        return
    epochs = [record.metrics for record in context.journal.of("epoch")]
    cuts = context.journal.get("cuts")
    gain = cuts.detail["cuts"][ALL]["gain"] if cuts else None
    found = judge_pretraining(row.title, epochs, gain=gain, margin=context.options.margin)
    context.note(Record("verdict", "verdict", strategy=row.name, seed=context.options.seed, detail=asdict(found)))


def _draw(folder: Path) -> None:
    """What people read of a run, from its records alone: the model card and the page."""
    with writing(folder / "README.md") as temporary:
        temporary.write_text(pretraining_card(folder))
    draw_pretraining(folder)
