"""Which classes of two domains look alike: nearest to each other, nearer than other classes of their own domains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.ridge import centre_and_scale

FEWEST = 3
"""Images of a class, on each side, below which its mean says little."""


def mutual_nearest(z: Floats, y: Classes, domain: Classes) -> list[tuple[int, int, float]]:
    """Pairs (a, b, ratio) of a source class and a target class whose means are each other's nearest.

    Features are standardised, and the mean over classes is taken from each domain, so that a style common to a whole
    domain does not count. With D the distance of two class means,

        ratio = D(a, b) / min(min_{a'} D_S(a, a'), min_{b'} D_T(b, b')),

    below 1 where the two are nearer to each other than either is to another class of its own domain. Only such pairs
    are given, the surest first.

    Parameters
    ----------
    z, y, domain : features ``(n, d)``, classes, and 0 source or 1 target, ``(n,)``.

    Examples
    --------
    >>> z = np.array([[0.0, 0], [0, 9], [5, 5], [1, 0], [1, 9], [6, 5]]).repeat(3, axis=0)
    >>> found = mutual_nearest(z, np.arange(6).repeat(3), np.repeat([0, 1], 9))
    >>> sorted((a, b) for a, b, _ in found)
    [(0, 3), (1, 4), (2, 5)]
    """
    centre, scale = centre_and_scale(z)
    sides = [_means((z - centre) / scale, y, domain == side) for side in (0, 1)]
    if min(len(names) for names, _ in sides) < 2:
        return []
    (ours, one), (theirs, other) = sides
    across = cdist(one, other)
    own = [_nearest_other(each) for each in (one, other)]
    found = []
    for a, b in enumerate(across.argmin(axis=1)):
        ratio = float(across[a, b] / max(min(own[0][a], own[1][b]), 1e-12))
        if across[:, b].argmin() == a and ratio < 1:
            found.append((int(ours[a]), int(theirs[b]), ratio))
    return sorted(found, key=lambda each: each[2])


def _means(z: Floats, y: Classes, here: NDArray[np.bool_]) -> tuple[Classes, NDArray[np.float64]]:
    names, counts = np.unique(y[here], return_counts=True)
    names = names[counts >= FEWEST]
    if not len(names):
        return names, np.empty((0, z.shape[1]))
    means = np.stack([z[here & (y == name)].mean(axis=0) for name in names])
    return names, means - means.mean(axis=0)


def _nearest_other(means: NDArray[np.float64]) -> NDArray[np.float64]:
    apart = cdist(means, means)
    np.fill_diagonal(apart, np.inf)
    nearest: NDArray[np.float64] = apart.min(axis=1)
    return nearest
