"""Domain and task are read from the data, every image once; the split is written down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data import DECODE_VERSION, Duplicates, Survey, find_duplicates, merge_groups, split, survey
from headstart.errors import DataError
from headstart.problem import Domain, Labelled
from headstart.records import Record, writing
from headstart.runs.context import Context, Prepared
from headstart.runs.options import Reading
from headstart.runs.seen import held_images, seen_in

LARGE = 0.2
"""Share of all images above which a group is larger than the usual validation part, and is named."""

LISTED = 50
"""Groups, broken files and leaks that a record lists at most; their numbers are always given."""


def prepare(context: Context, labelled: Labelled) -> tuple[Prepared, Record]:
    """`read` for a run; the record ``data`` says what was found."""
    started = time.perf_counter()
    prepared = read(labelled, context.options, cache=context.cache, progress=context.progress)
    asked, seconds = context.options, time.perf_counter() - started
    return prepared, data_record(prepared, seconds=seconds, seed=asked.seed, backbones=asked.backbones)


def read(labelled: Labelled, asked: Reading, *, cache: Path, progress: Callable[[str, int, int], None]) -> Prepared:
    """Read every image, look for duplicates, split.

    Raises
    ------
    DataError : too few usable images in a class; or broken ones, where `strict` was asked for.
    """
    looked, duplicates, groups = look(labelled.x, asked, cache=cache, progress=progress)
    parts = split(
        labelled.y,
        groups,
        seed=asked.seed,
        fractions=asked.split,
        given=labelled.parts,
        broken=looked.broken,
        classes=labelled.task.classes,
    )
    return Prepared(labelled, looked, duplicates, groups, parts, looked.fingerprint(labelled.y))


def look(
    domain: Domain, asked: Reading, *, cache: Path, progress: Callable[[str, int, int], None]
) -> tuple[Survey, Duplicates, np.ndarray]:
    """Every image read once, the duplicates among them, and what stays on one side of every split, int64 (n,).

    Raises
    ------
    DataError : broken images, where `strict` was asked for.
    """
    looked = survey(domain, asked.size, cache=cache, max_pixels=asked.max_pixels, progress=progress)
    if asked.strict:
        refuse_broken(domain, looked)
    duplicates = find_duplicates(looked)
    return looked, duplicates, merge_groups(duplicates.groups, domain.groups)


def refuse_broken(domain: Domain, looked: Survey) -> None:
    """What ``--strict`` asks for.

    Raises
    ------
    DataError : an image cannot be used.
    """
    if looked.broken:
        index, reason = looked.broken[0]
        fact = f"{domain.label_of(index)} cannot be used: {reason}; {len(looked.broken)} such file(s) in all."
        raise DataError(fact, "Repair or remove them, or leave --strict out to have them named and left out.")


def redrawn(prepared: Prepared, asked: Reading) -> Prepared:
    """Training and validation part drawn anew with the seed asked for; the test part, and what is aside, stay.

    Parts that the data themselves give stay as they are.
    """
    kept, labelled = prepared.split, prepared.labelled
    given = list(labelled.parts or [None] * len(labelled))
    for i in kept.test.tolist():
        given[i] = "test"
    parts = split(
        prepared.y,
        prepared.groups,
        seed=asked.seed,
        fractions=asked.split,
        given=given,
        broken=list(kept.reasons.items()),
        classes=labelled.task.classes,
    )
    return replace(prepared, split=replace(parts, leaks=kept.leaks))


def write_split(context: Context, prepared: Prepared) -> None:
    """``split.json``: which image is in which part."""
    label_of = prepared.labelled.x.label_of
    parts = {name: [label_of(i) for i in getattr(prepared.split, name)] for name in ("train", "val", "test", "aside")}
    with writing(context.folder / "split.json") as temporary:
        temporary.write_text(json.dumps({"seed": context.options.seed, **parts}, indent=1, ensure_ascii=False))


def data_record(prepared: Prepared, *, seconds: float, seed: int, backbones: Sequence[str] = ()) -> Record:
    """The record ``data``: how many images of each class there are in each part, and what is the matter with them.

    Parameters
    ----------
    backbones : those in the race, which may have learned from some of the images.
    """
    labelled, looked, found, parts = prepared.labelled, prepared.survey, prepared.duplicates, prepared.split
    conflicts = found.conflicts(labelled.y)
    label_of, classes = labelled.x.label_of, labelled.task.classes
    groups = [("exact", g) for g in found.exact] + [("near", g) for g in found.near]
    leaks = [(i, copies) for i, copies in parts.leaks.items()]
    detail: dict[str, Any] = {
        "root": str(labelled.root or ""),
        "layout": labelled.layout,
        "decoder": DECODE_VERSION,
        "classes": list(classes),
        "counts": {name: _counts(prepared, k) for k, name in enumerate(classes)},
        "parts": {name: len(getattr(parts, name)) for name in ("train", "val", "test", "aside")},
        "broken": [{"path": label_of(i), "reason": reason} for i, reason in looked.broken[:LISTED]],
        "groups": [
            {
                "kind": kind,
                "paths": [label_of(i) for i in g[:12]],
                "classes": sorted({classes[labelled.y[i]] for i in g}),
            }
            for kind, g in groups[:LISTED]
        ],
        "leaks": [
            {"path": label_of(i), "part": parts.reasons[i], "copies": [label_of(j) for j in copies[:12]]}
            for i, copies in leaks[:LISTED]
        ],
        "conflicts": [
            {"paths": [label_of(i) for i in g[:12]], "classes": sorted({classes[labelled.y[i]] for i in g})}
            for g in conflicts[:LISTED]
        ],
        "notes": [*labelled.notes, *_notes(prepared), *seen_in(prepared, backbones, held_images(prepared))],
    }
    readable = looked.sizes[looked.sizes[:, 0] > 0]
    for axis, name in enumerate(("widths", "heights")):
        side = readable[:, axis]
        detail[name] = {"min": int(side.min()), "median": int(np.median(side)), "max": int(side.max())}
    return Record(
        "data",
        "data",
        data=prepared.fingerprint,
        seed=seed,
        metrics={
            "images": len(labelled),
            "classes": len(classes),
            "broken": len(looked.broken),
            "duplicates": sum(map(len, found.exact)),
            "near_duplicates": sum(map(len, found.near)),
            "aside": len(parts.aside),
        },
        cost={"seconds": seconds, "images": len(labelled)},
        detail=detail,
    )


def _counts(prepared: Prepared, k: int) -> dict[str, int]:
    parts = prepared.split
    return {name: int((prepared.y[getattr(parts, name)] == k).sum()) for name in ("train", "val", "test")}


def _notes(prepared: Prepared) -> list[str]:
    """What a reader of the numbers should know: a group that is a part by itself, classes missing, pixels damaged."""
    notes = []
    largest = int(np.bincount(prepared.groups).max())
    if largest > LARGE * len(prepared.y):
        whole = f"{largest:,} of {len(prepared.y):,} images are one group and stay on one side of every split"
        given = prepared.labelled.x.groups is not None
        chained = ": they hang together by copies" + (" and by the groups that were given" if given else "")
        notes.append(f"{whole}{chained}. Parts and folds are not of the sizes that were asked for.")
    if damaged := prepared.survey.store.damaged:
        names = ", ".join(path.name for path in damaged[:5])
        notes.append(f"{len(damaged)} damaged file(s) of stored pixels were found ({names}) and read anew.")
    for name, shown in (("val", "validation"), ("test", "test")):
        part = getattr(prepared.split, name)
        absent = sorted(set(range(prepared.k)) - set(prepared.y[part].tolist()))
        if len(part) and absent:
            names = ", ".join(prepared.labelled.task.classes[k] for k in absent[:5])
            notes.append(f"The {shown} part holds no image of {names}{' and others' if len(absent) > 5 else ''}.")
    return notes
