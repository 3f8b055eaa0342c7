"""H-score: how much of the features' variance lies between classes, with a shrunk covariance."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.ridge import span
from headstart.evidence.transferability.checking import Doubles, checked, one_hot


def h_score(z: Floats, y: Classes) -> float:
    """Shrunk H-score, a number between 0 and k − 1; higher is better.

    With Σ the covariance of the features (rows of `z`, divided by n), Σ_B that of their class means (each
    image at the mean of its class), and Ledoit and Wolf's shrinkage a,

        H_a = (1 − a) tr(Σ_a⁻¹ Σ_B),   Σ_a = (1 − a) Σ + a (tr Σ / d) I.

    Bao, Li, Huang, Zhang, Zheng, Zamir & Guibas, *An Information-Theoretic Approach to Transferability in
    Task Transfer Learning*, ICIP 2019; shrunk by Ibrahim, Ponomareva & Mazumder, *Newer is not always
    better*, ECML-PKDD 2022, without which it says k − 1 of any features wider than the images are many.
    It does not change when features are rotated, shifted or scaled. Both covariances are divided by n.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> round(h_score(np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]]), np.array([0, 0, 1, 1])), 3)
    0.994
    """
    features, index = checked(z, y)
    n, d = features.shape
    rows = features - features.mean(axis=0)
    basis, values = span(rows)
    if not len(values):
        return 0.0
    variances = values / n
    shrinkage = _ledoit_wolf(np.square(rows).sum(axis=1), variances, d)
    indicators = one_hot(index)
    sums = indicators.T @ basis
    between = (np.square(sums) / indicators.sum(axis=0)[:, None]).sum(axis=0)
    kept = (1 - shrinkage) * variances
    return float((kept / (kept + shrinkage * variances.sum() / d) * between).sum())


def _ledoit_wolf(norms: Doubles, variances: Doubles, d: int) -> float:
    """Optimal weight of the identity, from the squared norms of the n centred rows and the spectrum of Σ.

    min(1, b/δ), where δ = ‖Σ − μI‖² and b = (1/n²) Σᵢ ‖xᵢxᵢᵀ − Σ‖², μ = tr Σ / d. Ledoit & Wolf, *A
    Well-Conditioned Estimator for Large-Dimensional Covariance Matrices*, JMVA 2004.
    """
    squares = float(np.square(variances).sum())
    apart = squares - variances.sum() ** 2 / d
    noise = (float(np.square(norms).mean()) - squares) / len(norms)
    return 1.0 if noise >= apart else max(0.0, noise / apart)
