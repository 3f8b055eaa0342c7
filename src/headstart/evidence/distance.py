"""How far apart two samples of features are: the maximum mean discrepancy, free of the features' scale."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from headstart.evidence.metrics import Floats

MOST = 800
"""Rows of each sample that are compared, at most."""


def spaced(n: int, most: int = MOST) -> np.ndarray:
    """At most so many row numbers of n, evenly spaced, int64."""
    return np.linspace(0, n - 1, min(most, n)).astype(np.int64)


def discrepancy(x: Floats, y: Floats, *, weights: Floats | None = None) -> float:
    """√ of the unbiased MMD², at least 0, with the kernel exp(−‖a − b‖² / 2σ²), σ the median distance of all rows.

        MMD² = mean_{i≠j} k(xᵢ, xⱼ) + mean_{i≠j} k(yᵢ, yⱼ) − 2 mean_{ij} k(xᵢ, yⱼ)

    0 where both are drawn from one distribution, at most √2. Gretton et al., *A Kernel Two-Sample Test*, JMLR 2012.

    Parameters
    ----------
    x, y : features, ``(n, d)`` and ``(m, d)``; of more than `MOST` rows, as many evenly spaced ones.
    weights : how much each row of `x` counts, ``(n,)``; all the same by default.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> discrepancy(x, x + 9) > 1 > 0.2 > discrepancy(x[:100], x[100:])
    True
    """
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    some, others = spaced(len(x)), spaced(len(y))
    a, b, w = np.asarray(x[some], np.float64), np.asarray(y[others], np.float64), w[some]
    both = np.concatenate([a, b])
    apart = cdist(both, both, "sqeuclidean")
    scale = float(np.median(apart[np.triu_indices(len(both), 1)]))
    k = np.exp(-apart / (2 * scale)) if scale > 0 else np.ones_like(apart)
    shares, n = np.concatenate([w / w.sum(), -np.full(len(b), 1 / len(b))]), len(a)
    squares = 1 - np.square(shares[:n]).sum(), 1 - np.square(shares[n:]).sum()
    np.fill_diagonal(k, 0.0)
    inside = [shares[part] @ k[part, part] @ shares[part] for part in (slice(n), slice(n, None))]
    across = 2 * float(shares[:n] @ k[:n, n:] @ shares[n:])
    value = sum(one / max(square, 1e-12) for one, square in zip(inside, squares, strict=True)) + across
    return float(np.sqrt(max(value, 0.0)))
