"""TransRate: how many nats it takes to code the features, beyond those it takes class by class."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import Doubles, checked

EPSILON = 1e-4
"""Distortion ε that the code may have, in squared units of the features, as published."""


def transrate(z: Floats, y: Classes, *, epsilon: float = EPSILON) -> float:
    """Mutual information of features and classes by coding rates, in nats; at least 0, higher is better.

    With Z the centred features (`z`), Z_c those of class c, n_c images, and

        R(Z) = ½ log det(I + ZᵀZ / (nε)),   TransRate = R(Z) − Σ_c (n_c / n) R(Z_c).

    Huang, Huang, Rong, Yang & Wei, *Frustratingly Easy Transferability Estimation*, ICML 2022. Their
    code takes a plain mean over classes, which is the same where all have one size. The score does not
    change when features are rotated or shifted; it grows with their scale and their width, so that it
    compares networks of one family better than others.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.
    epsilon : ε > 0.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> z = np.array([[0.0], [0.0], [0.02], [0.02]])
    >>> round(transrate(z, np.array([0, 0, 1, 1])), 4), round(transrate(z, np.array([0, 1, 0, 1])), 4)
    (0.0, 0.0)
    """
    features, index = checked(z, y)
    rows = features - features.mean(axis=0)
    classes = [rows[index == c] for c in range(int(index.max()) + 1)]
    conditional = sum(len(own) * _rate(own, epsilon) for own in classes) / len(rows)
    return float(_rate(rows, epsilon) - conditional)


def _rate(rows: Doubles, epsilon: float) -> float:
    """R, from the smaller of the two Gram matrices, whose determinants agree."""
    n, d = rows.shape
    gram = rows @ rows.T if n < d else rows.T @ rows
    gram /= n * epsilon
    gram[np.diag_indices_from(gram)] += 1
    return float(np.log(np.diag(np.linalg.cholesky(gram))).sum())
