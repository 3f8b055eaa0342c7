"""Training, validation and test parts: stratified, seeded, groups whole on one side.

Images of one group (duplicates, one patient, one film) never stand on both sides. Groups of
several images are placed first, the largest first, each where it exceeds the parts' targets least;
single images then fill up what is missing, so that without groups every class is shared out within
one image of the fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.data.allot import allot, bring
from headstart.errors import DataError, OptionError

PARTS = ("train", "val", "test")
FEWEST = 3
"""Usable images that a class needs: one to train on, one to choose on, one to test on."""


@dataclass(frozen=True, eq=False)
class Split:
    """Four index arrays, int64, ascending, that together hold every image once.

    Attributes
    ----------
    train, val, test : the parts.
    aside : images in no part.
    reasons : for every index in `aside` why it was left out.
    leaks : for every image set aside as a copy: the images of the test or validation part that it
        shares a group with.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    aside: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)
    leaks: dict[int, tuple[int, ...]] = field(default_factory=dict)


def split(
    y: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    given: Sequence[str | None] | None = None,
    broken: Sequence[tuple[int, str]] = (),
    classes: Sequence[str] | None = None,
) -> Split:
    """Put every image on one side.

    Every class gets a group into the training part, then, as far as its groups go, one into each
    other part. Parts that the user gave stay as given, but for training images that share a group
    with a test image, or a validation image, and validation images that share one with a test
    image: those are set aside. What was not given is carved from the training images; an image
    without a given part counts as one for training.

    Parameters
    ----------
    y : int64 (n,), class numbers.
    groups : int64 (n,), what must stay together.
    seed : the same seed gives the same split.
    fractions : shares of training, validation and test part; the last two may be 0.
    given : per image ``"train"``, ``"val"``, ``"test"`` or None.
    broken : (index, reason) of images that cannot be used.
    classes : names of the classes, for messages, and to notice one without any image.

    Raises
    ------
    DataError : a class has fewer than three usable images, or none that may be trained on.
    OptionError : the fractions are not shares that add up to 1.
    """
    _check_fractions(fractions)
    names = list(classes) if classes is not None else [str(k) for k in range(int(y.max(initial=-1)) + 1)]
    reasons = {int(i): reason for i, reason in broken}
    part = np.zeros(len(y), np.int64)
    part[list(reasons)] = -1
    _refuse_rare(y[part >= 0], names)
    fixed = [name for name in PARTS[1:] if given is not None and name in given]
    leaks: dict[int, tuple[int, ...]] = {}
    if given is not None:
        for number, name in enumerate(PARTS):
            part[[i for i, value in enumerate(given) if value == name and part[i] >= 0]] = number
        for number in (2, 1):
            leaks |= _set_aside_copies(part, groups, number, reasons)
    open_parts = [k for k, name in enumerate(PARTS) if fractions[k] > 0 and name not in fixed]
    pool = np.flatnonzero(part == 0)
    chosen = allot(y[pool], groups[pool], [fractions[k] for k in open_parts], seed=seed, cover=len(open_parts))
    part[pool] = np.array(open_parts)[chosen]
    _refuse_untrained(y[part == 0], names)
    train, val, test, aside = (np.flatnonzero(part == number) for number in (0, 1, 2, -1))
    return Split(train, val, test, aside, reasons, leaks)


def folds(y: np.ndarray, groups: np.ndarray, k: int, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The k pairs (fit, evaluate) of ascending index arrays; every image is evaluated once.

    Parameters
    ----------
    y, groups : int64 (n,), as in `split`.
    k : number of folds, at least 2.

    Raises
    ------
    OptionError : fewer than 2 folds, or more than there are groups.
    """
    if not 2 <= k <= len(np.unique(groups)):
        fact = f"{k} folds cannot be made of {len(np.unique(groups))} groups of images."
        raise OptionError(fact, "Choose at least 2 folds, and no more than there are groups.")
    fold = allot(y, groups, [1.0] * k, seed=seed)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(k)]


def inner_split(y: np.ndarray, groups: np.ndarray, fraction: float, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(fit, stop): what to train on, and a share `fraction` of the images to stop early by.

    Every class stays in `fit`. `stop` holds a rare class only where its turn comes, and it is empty
    only where no class can spare a group.

    Raises
    ------
    OptionError : `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise OptionError(f"A share of {fraction} cannot be held back.", "Choose a number between 0 and 1.")
    part = allot(y, groups, [1 - fraction, fraction], seed=seed, cover=1)
    classes, counts = np.unique(y, return_counts=True)
    for k in classes[np.argsort(-counts, kind="stable")].tolist():
        if (part == 1).any():
            break
        bring(part, y, groups, number=1, k=k)
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def _set_aside_copies(
    part: np.ndarray, groups: np.ndarray, number: int, reasons: dict[int, str]
) -> dict[int, tuple[int, ...]]:
    """Take out of the earlier parts what shares a group with the given part `number`."""
    kept = np.flatnonzero(part == number)
    copies = np.flatnonzero((part >= 0) & (part < number) & np.isin(groups, groups[kept]))
    part[copies] = -1
    shown = {"val": "validation", "test": "test"}[PARTS[number]]
    leaks = {}
    for i in copies.tolist():
        reasons[i] = f"shares a group with an image of the {shown} part"
        leaks[i] = tuple(kept[groups[kept] == groups[i]].tolist())
    return leaks


def _check_fractions(fractions: tuple[float, float, float]) -> None:
    if min(fractions) < 0 or fractions[0] == 0 or abs(sum(fractions) - 1) > 1e-6:
        fact = f"{', '.join(f'{share:g}' for share in fractions)} are not shares of training, validation and test."
        raise OptionError(fact, "Give three numbers that add up to 1; the first one must not be 0.")


def _refuse_rare(y: np.ndarray, names: list[str]) -> None:
    counts = np.bincount(y, minlength=len(names))
    rare = [f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count < FEWEST]
    if rare:
        fact = f"Fewer than {FEWEST} usable images in {_list(rare)}."
        raise DataError(fact, "Add images to these classes, or take the classes out.")


def _refuse_untrained(y: np.ndarray, names: list[str]) -> None:
    counts = np.bincount(y, minlength=len(names))
    absent = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if absent:
        fact = f"No image is left to train on in {_list(absent)}."
        remedy = "Give these classes training images that are no copies of test or validation images."
        raise DataError(fact, remedy)


def _list(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
