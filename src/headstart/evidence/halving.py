"""Halves of classes that are as far apart, or as alike, as they can be."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from headstart.evidence.metrics import Floats


def distant_halves(means: Floats, *, similar: bool = False) -> tuple[list[int], list[int]]:
    """Two halves of k classes between which the mean distance of class means is the largest, or the smallest.

    They start from the order along the first principal axis of the means, cut in the middle (or, to be similar, dealt
    out in turn), and swap a class of one for a class of the other while that helps: a maximum that no single swap
    improves. Of an odd number of classes, the last one along the axis's middle is in neither half.

    Parameters
    ----------
    means : mean features of each class, ``(k, d)``.
    similar : the smallest distance instead of the largest.

    Examples
    --------
    >>> means = np.array([[0.0], [9.0], [1.0], [10.0]])
    >>> distant_halves(means), distant_halves(means, similar=True)
    (([0, 2], [1, 3]), ([0, 1], [2, 3]))
    """
    means = np.asarray(means, dtype=np.float64)
    k = len(means) - len(means) % 2
    axis = np.linalg.svd(means - means.mean(0), full_matrices=False)[2][0]
    order = np.argsort(means @ axis, kind="stable")
    order = np.delete(order, len(order) // 2) if len(order) > k else order
    apart = cdist(means, means) * (-1 if similar else 1)
    a = order[::2] if similar else order[: k // 2]
    b = np.setdiff1d(order, a)
    while True:
        # Swapping i of A and j of B moves what lies between the halves by this much.
        within_a, within_b = apart[np.ix_(a, a)].sum(1), apart[np.ix_(b, b)].sum(1)
        across = apart[np.ix_(a, b)]
        gain = within_a[:, None] + within_b[None] - across.sum(1)[:, None] - across.sum(0)[None] + 2 * across
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] <= 1e-9 * np.abs(apart).sum():
            break
        a[i], b[j] = b[j], a[i]
    found = sorted(map(int, a)), sorted(map(int, b))
    return found if found[0][0] < found[1][0] else (found[1], found[0])


def apartness(means: Floats, a: list[int] | tuple[int, ...], b: list[int] | tuple[int, ...]) -> float:
    """Mean distance of class means between two halves over that within them: 1 where halves are drawn at random.

    Examples
    --------
    >>> round(apartness(np.array([[0.0], [1.0], [9.0], [10.0]]), [0, 1], [2, 3]), 2)
    9.0
    """
    means = np.asarray(means, dtype=np.float64)
    one, other = means[list(a)], means[list(b)]
    within = [cdist(half, half)[np.triu_indices(len(half), 1)] for half in (one, other)]
    inside = float(np.concatenate(within).mean())
    return float(cdist(one, other).mean() / inside) if inside > 0 else float("inf")
