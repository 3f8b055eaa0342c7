"""GBC: how little the classes overlap, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.ridge import span
from headstart.evidence.transferability.checking import Doubles, checked, one_hot

COMPONENTS = 64
FLOOR = 1e-9
"""Of the features' mean variance, the least that a class can have: equal images leave no spread to divide by."""


def gbc(z: Floats, y: Classes) -> float:
    """Gaussian Bhattacharyya coefficient between classes, negated; between −k(k − 1) and 0, higher is better.

    Features are projected to their `COMPONENTS` first principal components, p ≤ 64 in number. Class c is
    taken for a spherical Gaussian with mean μ_c (p,) and variance v_c, the mean over components of those
    of its images. With v = (v_a + v_b)/2,

        D(a, b) = ‖μ_a − μ_b‖² / (8 v) + (p/2) log(v / √(v_a v_b)),   GBC = −Σ_{a≠b} exp(−D(a, b)),

    where every pair counts twice, as published (the authors' code takes p = 1 in the second term of D; this
    is the distance of the Gaussians themselves). Pándy, Agostinelli, Uijlings, Ferrari & Mensink,
    *Transferability Estimation using Bhattacharyya Class Separability*, CVPR 2022. The score does not
    change when features are rotated, shifted or scaled.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> round(gbc(np.array([[0.0], [2.0], [4.0], [6.0]]), np.array([0, 0, 1, 1])), 4)  # -2 exp(-2)
    -0.2707
    """
    features, index = checked(z, y)
    basis, values = span(features - features.mean(axis=0))
    if not len(values):
        k = int(index.max()) + 1
        return -float(k * (k - 1))
    x = basis[:, -COMPONENTS:] * np.sqrt(values[-COMPONENTS:])
    indicators = one_hot(index)
    counts = indicators.sum(axis=0)
    means = (indicators.T @ x) / counts[:, None]
    within = indicators.T @ np.square(x - means[index]).mean(axis=1) / counts
    return -_overlap(means, np.maximum(within, FLOOR * np.square(x).mean()))


def _overlap(means: Doubles, variances: Doubles) -> float:
    """Σ over ordered pairs of classes of exp(−D)."""
    norms = np.square(means).sum(axis=1)
    apart = np.maximum(norms[:, None] + norms - 2 * means @ means.T, 0.0)
    middle = (variances[:, None] + variances) / 2
    spread = np.log(middle) - np.log(variances)[:, None] / 2 - np.log(variances) / 2
    coefficients = np.exp(-apart / (8 * middle) - means.shape[1] / 2 * spread)
    return float(coefficients.sum() - np.trace(coefficients))
