"""One network of the laboratory, trained: what it begins with, in which steps, and what it is worth."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred, load_random
from headstart.backbones.statistics import adapt_batch_norms, has_batch_norms
from headstart.data.batches import Batches, Steps, Stream
from headstart.errors import StorageError
from headstart.features import Passing, activations
from headstart.objectives import CrossEntropy
from headstart.records import Record
from headstart.runs.context import kept_arrays
from headstart.runs.finetuning import keep_model
from headstart.runs.study.laboratory import WATCHED, Cell, Laboratory, Sides
from headstart.shallow import evenly
from headstart.strategies import TREATMENTS
from headstart.training import Curve, predict_logits, score, train, transplanted

JUDGED_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Job:
    """A cell with what it learns from. All networks of the laboratory take the same steps in batches of one size.

    Attributes
    ----------
    steps : of an epoch.
    lr : learning rate.
    keep : whether the network is written beside those of the bases.
    """

    cell: Cell
    sides: Sides
    epochs: int
    steps: int
    batch: int
    lr: float
    keep: bool = False


def train_cell(lab: Laboratory, job: Job) -> Record:
    """Train one network and judge it; its record. The network of a base is kept, and those that are asked for."""
    started = time.perf_counter()
    cell, sides = job.cell, job.sides
    model = begun(lab, job)
    recipe = transplanted(epochs=job.epochs, batch_size=job.batch, lr=job.lr)
    images = partial(images_of, lab, sides, model.backbone)
    place = lab.folder / "work" / cell.key.replace("/", "-")
    streams: Sequence[Stream] = _streams(
        model, images(sides.train, job.batch), images(sides.watched, JUDGED_AT_ONCE), place
    )
    curve = train(
        model.above() if model.frozen else model,
        Steps(streams[0], job.steps),
        objective=CrossEntropy(label_smoothing=0.0),
        recipe=recipe,
        seed=seed_of(cell.kind, cell.seed, cell.target, "order"),
        evaluate=partial(score, batches=streams[1]),
        checkpoint=place / "training.safetensors",
        progress=lambda *_: None,
    )
    judged = images(sides.judged, JUDGED_AT_ONCE)
    right = predict_logits(model, judged).argmax(1) == judged.y
    if not cell.n or job.keep:
        keep_model(lab.kept(cell), model)
    shutil.rmtree(place, ignore_errors=True)
    return Record(
        cell.key,
        "trial" if cell.rate else "cell",
        part="test",
        backbone=lab.options.architecture,
        cut=cell.cut,
        strategy=cell.treatment,
        seed=cell.seed,
        recipe={"epochs": job.epochs, "steps": job.epochs * job.steps, "batch_size": job.batch, "lr": job.lr},
        metrics={"value": float(right.mean()), "n": len(right)},
        cost={"seconds": time.perf_counter() - started},
        detail={**asdict(cell), "images": len(sides.train), "curve": _thin(curve)},
    )


def _streams(model: Transferred, fitted: Batches, watched: Batches, place: Path) -> Sequence[Stream]:
    """What is trained on and what is watched: images, or what the frozen part makes of them, computed once.

    Where the disk has no room for that, the frozen part runs on every batch: the bits are the same.
    """
    if not model.frozen:
        return fitted, watched
    store = partial(activations, model, cache=place, augmentation=None, seed=0, views=0)
    try:
        return store(fitted), store(watched)
    except StorageError:
        lower = model.backbone.lower(model.frozen).eval()
        return Passing(fitted, lower), Passing(watched, lower)


def begun(lab: Laboratory, job: Job) -> Transferred:
    """The network as it begins: its first layers from where the treatment says, all else drawn anew.

    What is drawn depends on the half and the seed alone, such that treatments and cuts differ in nothing else.
    """
    cell, options = job.cell, lab.options
    drawn = seed_of(cell.kind, cell.seed, cell.target, "upper" if cell.n else "base")
    backbone = load_random(options.architecture, size=options.size, seed=drawn)
    if cell.source is not None:
        transplant(kept_network(lab, cell.source), backbone, cell.cut)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(drawn, "head"))
        head = nn.Linear(backbone.widths["top"], job.sides.k)
    model = Transferred(backbone, head).to(lab.device).to(memory_format=torch.channels_last)
    if cell.n and TREATMENTS[cell.treatment].lower == "random" and has_batch_norms(backbone):
        # Nobody learned these layers, but nobody normalises them by the statistics of nothing either.
        images = images_of(lab, job.sides, backbone, evenly(job.sides.train, lab.labelled.y, WATCHED), JUDGED_AT_ONCE)
        model = adapt_batch_norms(model, [batch.x for batch in images.in_order()])
    frozen = cell.cut if cell.n and TREATMENTS[cell.treatment].frozen else ""
    return Transferred(model.backbone, model.head, frozen=frozen)


def kept_network(lab: Laboratory, cell: Cell) -> Backbone:
    """The backbone of a cell that was kept, as it ended."""
    backbone = load_random(lab.options.architecture, size=lab.options.size, seed=0)
    backbone.cut_off_top()
    prefix = "backbone.network."
    state = {
        name.removeprefix(prefix): torch.from_numpy(array)
        for name, array in kept_arrays(lab.kept(cell)).items()
        if name.startswith(prefix)
    }
    backbone.network.load_state_dict(state)
    return backbone


def transplant(source: Backbone, target: Backbone, cut: str) -> None:
    """Give `target` the parameters and buffers that `source` has up to `cut`."""
    target.lower(cut).load_state_dict(source.lower(cut).state_dict())


def seed_of(*words: str | int) -> int:
    """A seed that depends on these words alone."""
    digest = hashlib.blake2b("|".join(map(str, words)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


def images_of(lab: Laboratory, sides: Sides, backbone: Backbone, indices: np.ndarray, size: int) -> Batches:
    """Batches of so many of these images, as they are, with their numbers within the half."""
    prepare = partial(backbone.preprocessing.tensor, device=lab.device)
    y, keys = sides.number[lab.labelled.y[indices]], [lab.survey.ids[i] for i in indices]
    return Batches(lab.survey.pixels, prepare, indices, y, size, keys)


def _thin(curve: Curve) -> list[tuple[float, float]]:
    """Loss and accuracy on the watched images, from epoch 0 on."""
    return [(round(point.loss, 4), round(point.value, 4)) for point in curve.points]
