"""How two domains differ: feature space, P(X), label space, P(Y) and P(Y|X), and what case that makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbones import resolve
from headstart.data import MAX_PIXELS
from headstart.errors import DataError, HeadstartError, OptionError, RunError
from headstart.problem import Labelled, Unlabelled, features, labelled_arrays, read_either, unlabelled_arrays
from headstart.records import Journal, Record
from headstart.report import draw
from headstart.runs import gathering
from headstart.runs.answering import answered
from headstart.runs.compared import Card
from headstart.runs.fit import torch_device
from headstart.runs.folder import open_journal, refuse_nested
from headstart.runs.gathering import Gathered, Known
from headstart.runs.keeping import Keeper
from headstart.runs.machine import cache_folder, machine
from headstart.runs.options import Reading, text_of

Progress = Callable[[str, int, int], None]
Given = Path | str | np.ndarray | tuple[np.ndarray, Any]

WHAT = "comparison"
"""The kind of the record ``plan`` of such a run."""


def compare(
    source: Given,
    target: Given,
    *,
    backbone: str = "packaged/efficientnet_lite0",
    tolerance: float = 5.0,
    pairs: str = "auto",
    mapping: Mapping[str, str] | None = None,
    target_labels: bool = True,
    out: Path | str | None = None,
    seed: int = 0,
    size: int = 128,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Progress = lambda stage, done, total: None,
) -> Card:
    """The problem card of two domains: five answers with their sizes, the case named, the methods that apply.

    Parameters
    ----------
    source, target : a folder of class folders, a folder of images, or a table; or arrays: images uint8
        ``(n, h, w[, c])`` or features ``(n, d)``, alone or in a pair with n labels.
    backbone : whose features at every cut the tests read; arrays of features are read as they are.
    tolerance : points of accuracy above chance that still count as the same. A classifier that is right in 55 % of
        cases where 50 % is chance can tell about one image in ten.
    pairs : which images are known to show one thing in both domains: see `headstart.problem.pairing`.
    mapping : classes of the source that are classes of the target under another name.
    target_labels : whether the target's folders or column may be read as labels.
    out : folder for the records and the page; if it holds the same question, it goes on where it was.
    seed, size, device, max_pixels : as in `headstart.fit`.
    progress : told (stage, done, total).

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the backbone, the machine or the folder.
    """
    asked = _asked(source, target, backbone=backbone, seed=seed, size=size, device=device, max_pixels=max_pixels)
    share = _share(tolerance)
    if isinstance(source, Path | str) and isinstance(target, Path | str):
        refuse_nested(Path(source), Path(target))
    question = _question(asked, source, target, tolerance, pairs=pairs, mapping=mapping or {}, labels=target_labels)
    folder = Path(out).expanduser() if out is not None else None
    one, other = _read(source, labels=True), _read(target, labels=target_labels)
    with _nothing_left(folder):
        # Opened before any image is read, so that a folder that cannot be used is refused at once.
        journal = _journal(folder, source, target, question)
        gathered = _gather(one, other, asked, pairs=pairs, mapping=mapping or {}, progress=progress)
    _plan(journal, question, gathered.fingerprint, folder=folder)
    keeper = Keeper(journal, gathered.fingerprint, asked.backbones[0], seed, progress)
    card = answered(keeper, gathered, folder=folder, tolerance=share)
    if folder is not None:
        draw(folder)
    return card


@contextmanager
def _nothing_left(folder: Path | None) -> Iterator[None]:
    """Where a mistake ends the run before its first record, take away the folder that was made for it."""
    new = folder is not None and not folder.exists()
    try:
        yield
    except HeadstartError:
        if folder is not None and new and folder.is_dir():
            # Only an empty folder goes: whatever else came into it stays.
            with suppress(OSError):
                folder.rmdir()
        raise


def _gather(
    source: Labelled | Unlabelled,
    target: Labelled | Unlabelled,
    asked: Reading,
    *,
    pairs: str,
    mapping: Mapping[str, str],
    progress: Progress,
) -> Gathered:
    """Features and facts of both domains."""
    known = Known.of(source, target, mapping)
    if features.are_features(source.x) and features.are_features(target.x):
        z_s, z_t = (np.asarray(one.x.images) for one in (source, target))
        spaces = gathering.spaces_of_arrays(z_s, z_t, known)
        rows = gathering.sides_of_arrays(z_s, z_t, known)
        return Gathered(rows, spaces, known, gathering.fingerprint_of(z_s, z_t, known.y))
    if features.are_features(source.x) or features.are_features(target.x):
        raise DataError("One domain is images, the other is an array of features.", "Give both in the same way.")
    return gathering.gather_images(
        source,
        target,
        known,
        asked,
        pairs=pairs,
        cache=cache_folder(),
        device=torch_device(asked.device),
        progress=progress,
    )


def _read(given: Given, *, labels: bool) -> Labelled | Unlabelled:
    """A domain from a path or from memory, without its labels where they are not wanted."""
    if isinstance(given, Path | str):
        return read_either(given, labels=labels)
    x, y = given if isinstance(given, tuple) else (given, None)
    x, y = np.asarray(x), y if labels else None
    if x.ndim == 2:
        return features.feature_arrays(x, y)
    return unlabelled_arrays(x) if y is None else labelled_arrays(x, y)


def _asked(
    source: Given, target: Given, *, backbone: str, seed: int, size: int, device: str, max_pixels: int
) -> Reading:
    names = resolve([backbone])
    if len(names) > 1:
        raise OptionError(f"{backbone} names {len(names)} backbones.", f"Name one, like {names[0]}.")
    return Reading(
        data=f"{_name(source)} against {_name(target)}",
        backbones=tuple(names),
        seed=seed,
        size=size,
        split=(0.6, 0.2, 0.2),
        device=device,
        max_pixels=max_pixels,
    )


def _share(tolerance: float) -> float:
    if not 0 <= tolerance < 50:
        raise OptionError(
            f"A tolerance of {tolerance:g} points is out of range.", "Choose 0 to 49 points above chance."
        )
    return tolerance / 100


def _name(given: Given) -> str:
    return text_of(given) if isinstance(given, Path | str) else "arrays"


def _question(
    asked: Reading,
    source: Given,
    target: Given,
    tolerance: float,
    *,
    pairs: str,
    mapping: Mapping[str, str],
    labels: bool,
) -> dict[str, Any]:
    """What must agree for a run to be resumed."""
    return {
        "source": _name(source),
        "target": _name(target),
        "backbone": asked.backbones[0],
        "tolerance": float(tolerance),
        "pairs": pairs,
        "mapping": dict(mapping),
        "target_labels": labels,
        "seed": asked.seed,
        "size": asked.size,
        "max_pixels": asked.max_pixels,
    }


def _journal(folder: Path | None, source: Given, target: Given, question: Mapping[str, Any]) -> Journal | None:
    if folder is None:
        return None
    for given in (source, target):
        if isinstance(given, Path | str) and Path(given).is_dir() and folder.resolve().is_relative_to(text_of(given)):
            raise RunError(f"{folder} lies inside the folder of images {given}.", "Choose an --out outside of it.")
    return open_journal(folder, question, what=WHAT)


def _plan(journal: Journal | None, question: Mapping[str, Any], fingerprint: str, *, folder: Path | None) -> None:
    """The first record: the question, and the data that it is asked of."""
    if journal is None:
        return
    before = journal.get("plan")
    if before is None:
        detail = {"options": dict(question), "machine": machine()}
        journal.append(Record("plan", WHAT, data=fingerprint, seed=question["seed"], detail=detail))
    elif before.data != fingerprint:
        fact = f"The images or labels have changed since the run in {folder} was started."
        raise RunError(fact, "Choose another --out for the changed data.")
