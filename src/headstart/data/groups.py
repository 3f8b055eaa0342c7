"""Partitions of the images: connected components, and two partitions merged into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def components(n: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Number the connected components of n nodes: int64 (n,), 0, 1, … in order of first appearance.

    By union-find with path halving (Tarjan & van Leeuwen, 1984).

    Examples
    --------
    >>> components(5, [(0, 3), (3, 4)]).tolist()
    [0, 1, 2, 0, 0]
    """
    parent = list(range(n))

    def top(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        first, second = sorted((top(a), top(b)))
        parent[second] = first
    # The top of a component is its smallest member, so that sorting by top is by first appearance.
    return np.unique([top(i) for i in range(n)], return_inverse=True)[1].astype(np.int64)


def merge_groups(groups: np.ndarray, given: Sequence[str | None] | None) -> np.ndarray:
    """The finest partition in which images stay together that share a group of either kind.

    Parameters
    ----------
    groups : int64 (n,), e.g. of duplicates.
    given : per image the user's group, or None for an image that belongs to none.

    Examples
    --------
    >>> merge_groups(np.array([0, 1, 1, 2]), ["film", "film", None, None]).tolist()
    [0, 0, 0, 1]
    """
    first: dict[tuple[str, object], int] = {}
    pairs = [(first.setdefault(("duplicates", int(group)), i), i) for i, group in enumerate(groups)]
    pairs += [(first.setdefault(("given", name), i), i) for i, name in enumerate(given or ()) if name is not None]
    return components(len(groups), pairs)


def members(groups: np.ndarray) -> list[np.ndarray]:
    """The indices in every group of int64 (n,), groups in ascending order, indices too."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(groups) else []
