"""Sharing groups of images out to parts, by class: the arithmetic under every split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.data.groups import members


def allot(y: np.ndarray, groups: np.ndarray, weights: Sequence[float], *, seed: int, cover: int = 0) -> np.ndarray:
    """The part of every image, int64 (n,), 0 … len(weights) - 1; a group is never divided.

    Parameters
    ----------
    y, groups : int64 (n,).
    weights : positive, the size of each part relative to the others.
    cover : how many parts, from the first, shall get every class: the first one always does, the
        others where a class has groups enough.
    """
    rng = np.random.default_rng(seed)
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    # A column for each class that is there: class numbers may have gaps.
    present, y = np.unique(y, return_inverse=True)
    need = _targets(np.bincount(y, minlength=len(present)), shares, rng, each=cover == len(shares))
    part = np.full(len(y), -1, np.int64)
    gathered = members(groups)
    several = [group for group in gathered if len(group) > 1]
    _place(part, y, [several[i] for i in rng.permutation(len(several))], need, shares)
    _fill(part, y, need, rng)
    for number in range(cover):
        for k in np.setdiff1d(np.arange(len(present)), y[part == number]).tolist():
            bring(part, y, groups, number=number, k=k)
    return part


def apportion(count: int, shares: np.ndarray, *, owed: np.ndarray | None = None, each: bool = False) -> np.ndarray:
    """Whole numbers that add up to `count`, each within one of ``count · share``: int64 (parts,).

    The largest remainders are rounded up (A. Hamilton's method, 1792).

    Parameters
    ----------
    shares : float (parts,), adding up to 1.
    owed : what earlier roundings left each part short of; it counts as remainder.
    each : give every part at least 1, where `count` allows.

    Examples
    --------
    >>> apportion(7, np.array([0.6, 0.2, 0.2])).tolist()
    [4, 2, 1]
    """
    ideal = count * shares
    whole = np.floor(ideal + 1e-9).astype(np.int64)
    remainder = np.round(ideal - whole, 9)
    due = np.where(remainder > 0, remainder + (0.0 if owed is None else owed), -np.inf)
    whole[np.argsort(-np.round(due, 9), kind="stable")[: count - whole.sum()]] += 1
    while each and count >= len(shares) and whole.min() == 0:
        whole[whole.argmin()] += 1
        whole[whole.argmax()] -= 1
    return whole


def bring(part: np.ndarray, y: np.ndarray, groups: np.ndarray, *, number: int, k: int) -> None:
    """Move the smallest group with class k to part `number`, in place, if that takes no class from a part.

    Part 0 may take one from anywhere: a class that is not trained on is lost.
    """
    best: np.ndarray | None = None
    for name in np.unique(groups[y == k]):
        group = np.flatnonzero(groups == name)
        rest = (part == part[group[0]]) & (groups != name)
        spared = number == 0 or np.isin(y[group], y[rest]).all()
        if spared and (best is None or len(group) < len(best)):
            best = group
    if best is not None:
        part[best] = number


def _targets(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator, *, each: bool) -> np.ndarray:
    """Images wanted of every class in every part, int64 (parts, classes).

    What one class's rounding leaves a part short of is passed on to the next class, so that the
    sizes of the parts come out right however many classes there are (error diffusion).
    """
    targets = np.zeros((len(shares), len(counts)), np.int64)
    owed = rng.uniform(-1e-3, 1e-3, len(shares))  # breaks ties
    for k in rng.permutation(len(counts)):
        targets[:, k] = apportion(int(counts[k]), shares, owed=owed, each=each)
        owed += counts[k] * shares - targets[:, k]
    return targets


def _place(part: np.ndarray, y: np.ndarray, groups: list[np.ndarray], need: np.ndarray, shares: np.ndarray) -> None:
    """Put groups, the largest first, where they exceed `need` least; `need` is what remains."""
    for group in sorted(groups, key=len, reverse=True):
        labels, counts = np.unique(y[group], return_counts=True)
        wanted = need[:, labels]
        excess = np.maximum(counts - wanted, 0).sum(axis=1) - np.maximum(-wanted, 0).sum(axis=1)
        best = np.lexsort((-wanted.sum(axis=1) / shares, excess))[0]
        part[group] = best
        need[best, labels] -= counts


def _fill(part: np.ndarray, y: np.ndarray, need: np.ndarray, rng: np.random.Generator) -> None:
    """Share single images out to what each part still needs of their class."""
    for k in range(need.shape[1]):
        single = rng.permutation(np.flatnonzero((part < 0) & (y == k)))
        if len(single):
            wanted = need[:, k].clip(0)
            part[single] = np.repeat(np.arange(len(wanted)), apportion(len(single), wanted / wanted.sum()))
