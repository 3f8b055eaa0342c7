"""The maximum mean discrepancy: a distance of distributions that needs no classifier.

Gretton, Borgwardt, Rasch, Schölkopf & Smola, *A Kernel Two-Sample Test*, JMLR 2012.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from headstart.evidence.metrics import Floats
from headstart.evidence.ridge import centre_and_scale
from headstart.evidence.two_sample import Layout, p_value

Doubles = NDArray[np.float64]

BANDWIDTHS = (0.5, 1.0, 2.0)
"""Times the median distance: small ones see detail, large ones the means."""


@dataclass(frozen=True)
class Discrepancy:
    """MMD² at one cut with its interval and its p-value; around 0 and of either sign where there is no difference."""

    cut: str
    value: float
    low: float
    high: float
    p: float


def kernel(z: Floats, *, bandwidths: tuple[float, ...] = BANDWIDTHS) -> Doubles:
    """Mean of Gaussian kernels exp(−‖zᵢ − zⱼ‖² / 2(bσ)²) of standardised features, ``(n, n)``.

    σ is the median distance of two rows of either domain (the median heuristic).

    >>> kernel(np.array([[0.0], [1.0]]), bandwidths=(1.0,)).round(3).tolist()
    [[1.0, 0.607], [0.607, 1.0]]
    """
    mean, scale = centre_and_scale(z)
    squares = pdist((z - mean) / scale, "sqeuclidean")
    width = float(np.median(squares)) or 1.0
    mixed = np.mean([np.exp(-squares / (2 * b * b * width)) for b in bandwidths], axis=0)
    found: Doubles = squareform(mixed) + np.eye(len(z))
    return found


def mmd2(k: Doubles, labels: NDArray[np.integer]) -> Doubles:
    """The unbiased estimate of MMD² for each row of labels, ``(p, n)`` → ``(p,)``.

    With kernel k, source x₁ … x_m and target y₁ … y_n (Gretton et al. 2012, equation 3),

        Σ_{i≠j} k(xᵢ, xⱼ) / m(m − 1)  +  Σ_{i≠j} k(yᵢ, yⱼ) / n(n − 1)  −  2 Σ_{ij} k(xᵢ, yⱼ) / mn.

    Parameters
    ----------
    k : kernel of all rows with each other, ``(m + n, m + n)``.
    labels : 0 source, 1 target; at least two of each in every row.
    """
    off = k - np.diag(np.diag(k))
    target = labels.T.astype(np.float64)
    n = target.sum(axis=0)
    m = len(off) - n
    towards = off @ target
    within = (target * towards).sum(axis=0)
    across = (target * (off.sum(axis=1)[:, None] - towards)).sum(axis=0)
    source = off.sum() - within - 2 * across
    found: Doubles = source / (m * (m - 1)) + within / (n * (n - 1)) - 2 * across / (m * n)
    return found


def mmd_test(z: Mapping[str, Floats], layout: Layout, *, level: float = 0.95) -> tuple[tuple[Discrepancy, ...], float]:
    """MMD² at every cut, and the p-value of all cuts at once.

    Permutations are those of the layout, by group. The p-value of all cuts is of the largest MMD² in units of its
    standard deviation over permutations. The interval is v ± q s, s from the estimate's linear part summed by
    group; where there is no difference that part vanishes, and the p-value alone tells.

    Parameters
    ----------
    z : features by cut, ``(n, d)``.
    """
    labels = np.concatenate([layout.domain[None].astype(np.int8), layout.permuted])
    found, standard = [], []
    for cut, features in z.items():
        k = kernel(features)
        values = mmd2(k, labels)
        half = float(stats.norm.ppf((1 + level) / 2)) * _error(k, layout)
        found.append(
            Discrepancy(cut, float(values[0]), float(values[0] - half), float(values[0] + half), p_value(values))
        )
        spread = float(values[1:].std()) or 1.0
        standard.append((values - values[1:].mean()) / spread)
    return tuple(found), p_value(np.max(standard, axis=0))


def _error(k: Doubles, layout: Layout) -> float:
    """Standard error of MMD² by its linear part: ψᵢ = 2 (mean similarity to one's own − to the other domain) / m."""
    target = layout.domain == 1
    off = k - np.diag(np.diag(k))
    linear = np.empty(len(k))
    for own in (target, ~target):
        pull = off[np.ix_(own, own)].sum(axis=1) / (own.sum() - 1) - off[np.ix_(own, ~own)].mean(axis=1)
        linear[own] = 2 * (pull - pull.mean()) / own.sum()
    _, member = np.unique(layout.groups, return_inverse=True)
    return float(np.sqrt(np.square(np.bincount(member, weights=linear)).sum()))
