"""Nearest neighbours: how often the images most like an image are of its class."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import Doubles, checked

NEIGHBOURS = 5


def neighbours(z: Floats, y: Classes, *, k: int = NEIGHBOURS) -> float:
    """Leave-one-out accuracy of the `k` nearest neighbours, a share; higher is better.

    With s_ij = ⟨zᵢ, zⱼ⟩ / (‖zᵢ‖ ‖zⱼ‖) (zᵢ is row i of `z`) and N(i) the k other images with the largest s_ij,

        ŷᵢ = argmax_c Σ_{j∈N(i), yⱼ=c} (1 + s_ij / (2k + 1)),   score = (1/n) Σᵢ [ŷᵢ = yᵢ]:

    a majority, and where votes are equal the class whose images are more alike. Cover & Hart, *Nearest
    Neighbor Pattern Classification*, IEEE Transactions on Information Theory 1967. The score does not
    change when features are rotated, or those of an image scaled.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.
    k : number of neighbours; at most n − 1 are taken.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> neighbours(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]), np.array([0, 0, 1, 1]), k=1)
    1.0
    """
    return float(contributions(z, y, k=k).mean())


def contributions(z: Floats, y: Classes, *, k: int = NEIGHBOURS) -> Doubles:
    """Whether each image is predicted right, (n,): 1 or 0."""
    features, index = checked(z, y)
    n, k = len(features), min(k, len(features) - 1)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    rows = np.divide(features, norms, out=np.zeros_like(features), where=norms > 0)
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
    votes = np.zeros((n, int(index.max()) + 1))
    images = np.arange(n)[:, None]
    np.add.at(votes, (images, index[nearest]), 1 + likeness[images, nearest] / (2 * k + 1))
    return np.asarray(votes.argmax(axis=1) == index, dtype=np.float64)
