"""One network of the laboratory: which it is, what it learns from, and how it is trained."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred, load_random
from headstart.data import Duplicates, Split, Survey, merge_groups, split
from headstart.data.batches import Augmentation, Batch, Batches, Stream, batches_of
from headstart.features import activations
from headstart.objectives import CrossEntropy
from headstart.problem import Labelled
from headstart.records import Record
from headstart.runs.context import Context, kept_arrays
from headstart.runs.finetuning import keep_model
from headstart.runs.preparing import look
from headstart.runs.study.transplanting import SHARES, Transplanting
from headstart.shallow import evenly
from headstart.strategies import TREATMENTS
from headstart.training import Curve, predict_logits, score, train, transplanted

WATCHED = 500
"""Images that curves are drawn on, at most."""
JUDGED_AT_ONCE = 256


@dataclass(frozen=True)
class Cell:
    """One network.

    Attributes
    ----------
    kind : of the split of the classes, in a word.
    seed : of the replicate.
    target : the half that it learns, ``A`` or ``B``.
    labels : of a class that it learns with; 0 means all.
    treatment : a row of `headstart.strategies.TREATMENTS`, or ``base``.
    n, cut : layers that were kept, and the cut above the last one; 0 and ``""`` of a base.
    """

    kind: str
    seed: int
    target: str
    labels: int = 0
    treatment: str = "base"
    n: int = 0
    cut: str = ""

    @property
    def key(self) -> str:
        """Of its record."""
        return f"cell/{self.kind}/{self.seed}/{self.target}/{self.labels}/{self.n}/{self.treatment}"

    @property
    def base(self) -> Cell:
        """The network of the same half and labels that was trained from scratch."""
        return Cell(self.kind, self.seed, self.target, self.labels)

    @property
    def source(self) -> Cell | None:
        """The base whose first layers it keeps: with all labels where it is that of the other half."""
        lower = TREATMENTS[self.treatment].lower if self.n else "random"
        if lower == "other":
            return Cell(self.kind, self.seed, "A" if self.target == "B" else "B")
        return self.base if lower == "own" else None


@dataclass(frozen=True, eq=False)
class Sides:
    """Images of one half: to train on, to watch, to judge on.

    Attributes
    ----------
    number : by class of the data, its number in this half, −1 where it is in the other.
    most : images to train on if all labels were used.
    """

    train: np.ndarray
    watched: np.ndarray
    judged: np.ndarray
    number: np.ndarray
    most: int

    @property
    def k(self) -> int:
        """Classes of the half."""
        return int((self.number >= 0).sum())


@dataclass(frozen=True, eq=False)
class Job:
    """A cell with what it learns from; `epochs` and `lr` are those of every network of the laboratory.

    With `keep`, its network is written beside those of the bases.
    """

    cell: Cell
    sides: Sides
    epochs: int
    lr: float
    keep: bool = False


@dataclass(frozen=True, eq=False)
class Laboratory:
    """The images, read, and where networks are kept.

    Attributes
    ----------
    folder : of the study.
    """

    folder: Path
    options: Transplanting
    labelled: Labelled
    survey: Survey
    duplicates: Duplicates
    device: torch.device

    @classmethod
    def opened(cls, context: Context, labelled: Labelled) -> Laboratory:
        """Every image read."""
        options = context.options
        assert isinstance(options, Transplanting)
        looked, duplicates, _ = look(labelled.x, options, cache=context.cache, progress=context.progress)
        return cls(context.folder, options, labelled, looked, duplicates, context.device)

    def parts(self, seed: int) -> Split:
        """The images of one replicate, on their sides.

        Groups that the user gave stay together; of copies across them those on the earlier side are set aside. Put
        together as well, simple shapes would chain all groups to one.
        """
        y, given, groups = self.labelled.y, self.labelled.parts, self.labelled.x.groups
        told = partial(
            split, y, seed=seed, fractions=SHARES, broken=self.survey.broken, classes=self.labelled.task.classes
        )
        if groups is not None:
            first = told(merge_groups(np.arange(len(y)), groups), given=given)
            sides = np.full(len(y), "train", dtype=object)
            sides[first.val], sides[first.test] = "val", "test"
            given = tuple(sides.tolist())
        return told(self.duplicates.groups, given=given)

    def sides(self, parts: Split, classes: Sequence[int], *, labels: int, seed: int) -> Sides:
        """Those of a half; with few labels, as many of each class, the fewer among the more."""
        y = self.labelled.y
        number = np.full(len(self.labelled.task.classes), -1)
        number[list(classes)] = np.arange(len(classes))
        train, val, judged = (part[number[y[part]] >= 0] for part in (parts.train, parts.val, parts.test))
        most = len(train)
        if labels:
            order = np.random.default_rng(seed).permutation(train)
            train = np.sort(np.concatenate([order[y[order] == k][:labels] for k in classes]))
        return Sides(train, evenly(val, y, WATCHED), judged, number, most)

    def kept(self, cell: Cell) -> Path:
        """Where a network is kept."""
        return self.folder / "work" / f"{cell.key.replace('/', '-')}.safetensors"


@dataclass(frozen=True)
class Repeated:
    """A stream gone through several times in an epoch, such that few images take as many steps as many."""

    stream: Stream
    times: int

    @property
    def y(self) -> np.ndarray:
        """Classes (n,)."""
        return self.stream.y

    def __len__(self) -> int:
        return self.times * len(self.stream)

    def in_order(self) -> Iterator[Batch]:
        """Everything once, in the order given."""
        return self.stream.in_order()

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """Everything `times` times, each time in an order of its own."""
        rounds = range((epoch - 1) * self.times + 1, epoch * self.times + 1)
        told = {"seed": seed, "augmentation": augmentation, "views": views}
        return chain.from_iterable(self.stream.shuffled(one, **told) for one in rounds)  # type: ignore[arg-type]


def train_cell(lab: Laboratory, job: Job) -> Record:
    """Train one network and judge it; its record. The network of a base is kept, and those that are asked for."""
    started = time.perf_counter()
    cell, sides = job.cell, job.sides
    model = begun(lab, job)
    recipe = transplanted(sides.most, epochs=job.epochs, lr=job.lr)
    images = partial(_images, lab, sides, model.backbone)
    place = lab.folder / "work" / cell.key.replace("/", "-")
    read = [images(sides.train, recipe.batch_size), images(sides.watched, JUDGED_AT_ONCE)]
    streams: Sequence[Stream] = read
    if model.frozen:
        streams = [activations(model, one, cache=place, augmentation=None, seed=0, views=0) for one in read]
    steps = batches_of(sides.most, recipe.batch_size)
    curve = train(
        model.above() if model.frozen else model,
        Repeated(streams[0], max(1, round(steps / len(streams[0])))),
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
        "cell",
        part="test",
        backbone=lab.options.architecture,
        cut=cell.cut,
        strategy=cell.treatment,
        seed=cell.seed,
        recipe={"epochs": job.epochs, "lr": job.lr},
        metrics={"value": float(right.mean()), "n": len(right)},
        cost={"seconds": time.perf_counter() - started, "images": job.epochs * len(sides.train)},
        detail={**asdict(cell), "images": len(sides.train), "curve": _thin(curve)},
    )


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
        torch.manual_seed(drawn)
        head = nn.Linear(backbone.widths["top"], job.sides.k)
    frozen = cell.cut if cell.n and TREATMENTS[cell.treatment].frozen else ""
    model = Transferred(backbone, head, frozen=frozen)
    return model.to(lab.device).to(memory_format=torch.channels_last)


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


def _images(lab: Laboratory, sides: Sides, backbone: Backbone, indices: np.ndarray, size: int) -> Batches:
    prepare = partial(backbone.preprocessing.tensor, device=lab.device)
    y, keys = sides.number[lab.labelled.y[indices]], [lab.survey.ids[i] for i in indices]
    return Batches(lab.survey.pixels, prepare, indices, y, size, keys)


def _thin(curve: Curve) -> list[tuple[float, float]]:
    """Loss and accuracy on the watched images, from epoch 0 on."""
    return [(round(point.loss, 4), round(point.value, 4)) for point in curve.points]
