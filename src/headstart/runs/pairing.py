"""Source and target are read, every image once, and split such that nothing that is judged on was learned from."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.data import Survey, find_duplicates, merge_groups, survey
from headstart.data.allot import allot
from headstart.data.duplicates import Duplicates
from headstart.data.splits import Split
from headstart.errors import DataError
from headstart.problem import Labelled, Sealed, Task, Transfer, Unlabelled, item_names, label_spaces, shared_classes
from headstart.records import Record
from headstart.runs.context import Context, Prepared
from headstart.runs.options import Adapting
from headstart.runs.preparing import LISTED, refuse_broken
from headstart.runs.seen import TOO_GOOD, seen_notes
from headstart.strategies import Adaptation

FEWEST = 20
"""Target images that can be read, at the least."""
FEWEST_GROUPS = 5
"""Sets of target images that belong together, at the least: each is adapted on or judged on as a whole."""


@dataclass(frozen=True, eq=False)
class Target:
    """The target, read and split; it has no labels.

    Attributes
    ----------
    groups : int64 (m,), what stays together; an image of the source that shows the same has the same number.
    adapted, judged : int64, the images that are adapted on, and those that nothing adapts to.
    few : the places of the labelled ones among the adapted, and their classes; empty where none may be used.
    """

    unlabelled: Unlabelled
    survey: Survey
    groups: np.ndarray
    adapted: np.ndarray
    judged: np.ndarray
    few: np.ndarray
    few_y: np.ndarray
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Both:
    """A source whose training part is learned from and whose validation part is held, and a target."""

    source: Prepared
    target: Target
    transfer: Transfer

    @property
    def fingerprint(self) -> str:
        """Of all images and of the labels that may be used."""
        return f"{self.source.fingerprint[:16]}{self.target.fingerprint[:16]}"

    def learned(self, row: Adaptation) -> list[str]:
        """Content ids of the images that weights of the network are fitted to by `row`, the source's first."""
        if row.training is None:
            return []
        adapted = self.target.adapted.tolist() if row.training.sees_target else []
        return [*self.source.ids("train"), *(self.target.survey.ids[i] for i in adapted)]


def read_both(
    context: Context, asked: Adapting, source: Labelled, target: Unlabelled, sealed: Sealed | None
) -> tuple[Both, Record]:
    """Read, group and split; the record ``domains`` says what was found.

    Raises
    ------
    DataError : too few usable images, or no class in common.
    """
    started = time.perf_counter()
    notes = list(source.notes)
    if asked.labels and sealed is not None:
        source, said = _restricted(source, sealed)
        notes += said
    else:
        notes.append("Without labels it cannot be known whether the target holds classes that the source does not.")
    looked = [_look(context, domain.x) for domain in (source, target)]
    together = find_duplicates(_joined(*looked))
    named, other, shared = item_names(source.x, target.x, pairs=asked.pairs)
    groups = merge_groups(together.groups, [*named, *other])
    found = _target(target, looked[1], groups[len(source) :], asked, sealed, classes=source.task.classes)
    split, left = _split_source(source, looked[0], groups[: len(source)], found.groups[found.judged], asked)
    if shared:
        notes.append(f"{shared:,} file names are the same in source and target, and name one item each (--pairs).")
    if left:
        notes.append(f"{left:,} source images show what a judged target image shows, and were left out.")
    held = {"held source images": split.val, "judged target images": len(source) + found.judged}
    notes += seen_notes(asked.backbones, looked[0].ids + looked[1].ids, together.groups, held, so=TOO_GOOD)
    duplicates, fingerprint = _own(together, len(source)), looked[0].fingerprint(source.y)
    prepared = Prepared(source, looked[0], duplicates, groups[: len(source)], split, fingerprint)
    few = Labelled(target.x.subset(found.few), found.few_y, source.task) if len(found.few) else None
    both = Both(prepared, found, Transfer(source, target, few))
    return both, _record(both, notes, left=left, pairs=shared, seconds=time.perf_counter() - started, seed=asked.seed)


def _target(
    target: Unlabelled,
    looked: Survey,
    groups: np.ndarray,
    asked: Adapting,
    sealed: Sealed | None,
    *,
    classes: tuple[str, ...],
) -> Target:
    """The target, split, and the few labels of it that may be used."""
    part = _split_target(looked, groups, asked)
    adapted, judged = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
    few, few_y = np.empty(0, np.int64), np.empty(0, np.int64)
    if asked.labels and sealed is not None:
        few, few_y = sealed.few(adapted, groups, classes, seed=asked.seed)
    revealed = np.full(len(target), -1)
    revealed[few] = few_y
    return Target(target, looked, groups, adapted, judged, few, few_y, looked.fingerprint(revealed))


def _look(context: Context, domain: Any) -> Survey:
    options = context.options
    looked = survey(domain, options.size, cache=context.cache, max_pixels=options.max_pixels, progress=context.progress)
    if options.strict:
        refuse_broken(domain, looked)
    return looked


def _restricted(source: Labelled, sealed: Sealed) -> tuple[Labelled, list[str]]:
    """The source's images of the classes that the target has too, and sentences about the others."""
    shared = shared_classes(source.task.classes, sealed.classes)
    ours = [name for name in source.task.classes if name not in shared]
    theirs = [name for name in sealed.classes if name not in shared]
    notes = []
    if ours:
        notes.append(f"The target has no {_some(ours)}: source images of these were left out.")
    if theirs:
        notes.append(
            f"The source has no {_some(theirs)}: the model cannot name these, and gives them another name. Unlabelled "
            "images of these are adapted on like all others, as nobody knows which they are."
        )
    if offered := label_spaces(ours, theirs).offered:
        said = ", ".join(offered)
        notes.append(f"Names that differ little were taken for different classes. If they are one, say so: {said}.")
    if not ours:
        return source, notes
    number = {source.task.classes.index(name): k for k, name in enumerate(shared)}
    rows = np.flatnonzero(np.isin(source.y, list(number)))
    kept = source.subset(rows)
    y = np.array([number[c] for c in kept.y.tolist()], dtype=np.int64)
    return replace(kept, y=y, task=Task(shared)), notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} other classes" if len(names) > 5 else "")


def _joined(one: Survey, other: Survey) -> Survey:
    """Both domains' images as one survey, to look for duplicates across them; it has no pixels to give."""
    sizes, hashes, thumbs, digests = (
        np.concatenate([getattr(each, name) for each in (one, other)])
        for name in ("sizes", "hashes", "thumbs", "digests")
    )
    ids = one.ids + other.ids
    return replace(one, ids=ids, broken=(), sizes=sizes, hashes=hashes, thumbs=thumbs, digests=digests)


def _own(found: Duplicates, n: int) -> Duplicates:
    """Duplicates among the first n images."""
    sets = [[tuple(i for i in group if i < n) for group in kind] for kind in (found.exact, found.near)]
    exact, near = (tuple(group for group in kind if len(group) > 1) for kind in sets)
    return Duplicates(found.groups[:n], exact, near)


def _split_target(looked: Survey, groups: np.ndarray, asked: Adapting) -> np.ndarray:
    """0: adapted on, 1: judged on, -1: broken. No label decides it."""
    part = np.full(len(looked), -1)
    usable = np.array([i for i, key in enumerate(looked.ids) if key], dtype=np.int64)
    if len(usable) < FEWEST:
        fact = f"The target holds {len(usable)} images that can be read."
        raise DataError(fact, f"Give at least {FEWEST}: some are adapted on, the others are judged on.")
    sets = len(np.unique(groups[usable]))
    if sets < FEWEST_GROUPS:
        fact = f"The target's {len(usable)} images are only {sets} group(s): near duplicates, or one value of `group`."
        raise DataError(fact, f"Give images of at least {FEWEST_GROUPS}: none may be adapted on and judged on.")
    shares = [1 - asked.judged, asked.judged]
    part[usable] = allot(np.zeros(len(usable), np.int64), groups[usable], shares, seed=asked.seed, cover=2)
    return part


def _split_source(
    source: Labelled, looked: Survey, groups: np.ndarray, judged: np.ndarray, asked: Adapting
) -> tuple[Split, int]:
    """Training and held part, and how many images were left out for showing what a judged target image shows."""
    aside = np.isin(groups, judged)
    reasons = {int(i): "shows what a judged target image shows" for i in np.flatnonzero(aside)}
    left = len(reasons)
    for i, reason in looked.broken:
        aside[i], reasons[i] = True, reason
    usable = np.flatnonzero(~aside)
    counts = np.bincount(source.y[usable], minlength=len(source.task.classes))
    if counts.min() < 2:
        name = source.task.classes[int(counts.argmin())]
        fact = f"The source holds {counts.min()} usable image(s) of {name} that the judged target images do not show."
        raise DataError(fact, "Add source images of that class, or take the class out.")
    part = allot(source.y[usable], groups[usable], [1 - asked.held, asked.held], seed=asked.seed, cover=2)
    nothing = np.empty(0, np.int64)
    return Split(usable[part == 0], usable[part == 1], nothing, np.flatnonzero(aside), reasons), left


def _record(both: Both, notes: list[str], *, left: int, pairs: int, seconds: float, seed: int) -> Record:
    source, target = both.source, both.target
    classes, split = source.labelled.task.classes, source.split
    counts = {
        name: {"train": int((source.y[split.train] == k).sum()), "held": int((source.y[split.val] == k).sum())}
        for k, name in enumerate(classes)
    }
    return Record(
        "domains",
        "domains",
        data=both.fingerprint,
        seed=seed,
        metrics={
            "source": len(split.train) + len(split.val),
            "target": len(target.adapted) + len(target.judged),
            "classes": len(classes),
            "broken": len(source.survey.broken) + len(target.survey.broken),
            "left_out": left,
            "paired": pairs,
            "labels": len(target.few),
        },
        cost={"seconds": seconds, "images": len(source.survey) + len(target.survey)},
        detail={
            "source": str(source.labelled.root or source.labelled.x.name),
            "target": str(target.unlabelled.x.root or target.unlabelled.x.name),
            "classes": list(classes),
            "counts": counts,
            "parts": {
                "train": len(split.train),
                "held": len(split.val),
                "adapted": len(target.adapted),
                "judged": len(target.judged),
                "few": len(target.few),
            },
            "broken": [
                {"path": looked.domain.label_of(i), "reason": reason}
                for looked in (source.survey, target.survey)
                for i, reason in looked.broken[:LISTED]
            ],
            "notes": notes,
        },
    )
