"""One network of the laboratory: which it is, what it learns from, and how it is trained."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred, load_random
from headstart.backbones.statistics import adapt_batch_norms, has_batch_norms
from headstart.data import Duplicates, Split, Survey, merge_groups, split
from headstart.data.batches import Augmentation, Batch, Batches, Stream
from headstart.errors import DataError, StorageError
from headstart.features import Passing, activations
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
    rate : of a base that learning rates are tried on; 0 of all others.
    """

    kind: str
    seed: int
    target: str
    labels: int = 0
    treatment: str = "base"
    n: int = 0
    cut: str = ""
    rate: float = 0.0

    @property
    def key(self) -> str:
        """Of its record."""
        if self.rate:
            return f"trial/{self.rate:g}"
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
    """

    train: np.ndarray
    watched: np.ndarray
    judged: np.ndarray
    number: np.ndarray

    @property
    def k(self) -> int:
        """Classes of the half."""
        return int((self.number >= 0).sum())


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

    @property
    def fingerprint(self) -> str:
        """Of all images and labels."""
        return self.survey.fingerprint(self.labelled.y)

    def parts(self, seed: int) -> Split:
        """The images of one replicate, on their sides; those that the learning rate is chosen by are the same for all.

        Groups that the user gave stay together; of copies across them those to train on are set aside. Put together as
        well, simple shapes would chain all groups to one.

        Raises
        ------
        DataError : too few images in a class, or too few groups.
        """
        y, groups, broken = self.labelled.y, self.labelled.x.groups, dict(self.survey.broken)
        halved = partial(split, y, fractions=SHARES, classes=self.labelled.task.classes)
        own = self.duplicates.groups if groups is None else merge_groups(np.arange(len(y)), groups)
        held = halved(own, seed=self.options.seed, given=self.labelled.parts, broken=[*broken.items()])
        # A test part that the user gave is that of every seed.
        tested = ["test" if part == "test" else None for part in self.labelled.parts or (None,) * len(y)]
        sides = _sides(held, tested, names=("val",))
        broken |= held.reasons
        drawn = halved(own, seed=seed, given=sides, broken=[*broken.items()])
        broken |= drawn.reasons
        sides = _sides(drawn, ["train"] * len(y), names=("val", "test"))
        if not {"val", "test"} <= set(sides):
            fact = f"{len(np.unique(own))} groups of images are too few for a part to train on and two others."
            raise DataError(fact, "Give more groups, or leave the column group out.")
        return halved(self.duplicates.groups, seed=seed, given=sides, broken=[*broken.items()])

    def sides(self, parts: Split, classes: Sequence[int], *, labels: int, seed: int) -> Sides:
        """Those of a half; with few labels, as many of each class, the fewer among the more.

        Raises
        ------
        DataError : none of its images are left to judge on, or to choose by.
        """
        y = self.labelled.y
        number = np.full(len(self.labelled.task.classes), -1)
        number[list(classes)] = np.arange(len(classes))
        train, val, judged = (part[number[y[part]] >= 0] for part in (parts.train, parts.val, parts.test))
        if not len(val) or not len(judged):
            names = ", ".join(self.labelled.task.classes[k] for k in classes[:5])
            more = ", …" if len(classes) > 5 else ""
            fact = f"Of the half {names}{more} no image is left to judge on, or to choose by."
            raise DataError(fact, "Give its classes more images, or test and validation images of their own.")
        if labels:
            order = np.random.default_rng(seed).permutation(train)
            train = np.sort(np.concatenate([order[y[order] == k][:labels] for k in classes]))
        return Sides(train, evenly(val, y, WATCHED), judged, number)

    def kept(self, cell: Cell) -> Path:
        """Where a network is kept."""
        return self.folder / "work" / f"{cell.key.replace('/', '-')}.safetensors"


@dataclass(frozen=True)
class Steps:
    """A stream gone through again and again, so many batches an epoch: few images take as many steps as many."""

    stream: Stream
    count: int

    @property
    def y(self) -> np.ndarray:
        """Classes (n,)."""
        return self.stream.y

    def __len__(self) -> int:
        return self.count

    def in_order(self) -> Iterator[Batch]:
        """Everything once, in the order given."""
        return self.stream.in_order()

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """So many batches of rounds through everything, each round in an order of its own."""
        each = -(-self.count // len(self.stream))
        rounds = range((epoch - 1) * each + 1, epoch * each + 1)
        told = partial(self.stream.shuffled, seed=seed, augmentation=augmentation, views=views)
        return islice(chain.from_iterable(map(told, rounds)), self.count)


def _sides(parts: Split, others: Sequence[str | None], *, names: Sequence[str]) -> tuple[str | None, ...]:
    """For each image the part that it stands on, where that is one of `names`; `others` say it of the rest."""
    found = np.array(others, dtype=object)
    for name in names:
        found[getattr(parts, name)] = name
    return tuple(found.tolist())


def train_cell(lab: Laboratory, job: Job) -> Record:
    """Train one network and judge it; its record. The network of a base is kept, and those that are asked for."""
    started = time.perf_counter()
    cell, sides = job.cell, job.sides
    model = begun(lab, job)
    recipe = transplanted(epochs=job.epochs, batch_size=job.batch, lr=job.lr)
    images = partial(_images, lab, sides, model.backbone)
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
        images = _images(lab, job.sides, backbone, evenly(job.sides.train, lab.labelled.y, WATCHED), JUDGED_AT_ONCE)
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


def _images(lab: Laboratory, sides: Sides, backbone: Backbone, indices: np.ndarray, size: int) -> Batches:
    prepare = partial(backbone.preprocessing.tensor, device=lab.device)
    y, keys = sides.number[lab.labelled.y[indices]], [lab.survey.ids[i] for i in indices]
    return Batches(lab.survey.pixels, prepare, indices, y, size, keys)


def _thin(curve: Curve) -> list[tuple[float, float]]:
    """Loss and accuracy on the watched images, from epoch 0 on."""
    return [(round(point.loss, 4), round(point.value, 4)) for point in curve.points]
