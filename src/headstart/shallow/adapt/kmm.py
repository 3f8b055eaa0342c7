"""Kernel mean matching: weights under which the source's mean in a kernel's space is the target's."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from headstart.shallow.adapt.density import effective
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles

LARGEST = 10.0
"""B: what an image may count for."""
STEPS = 500


def kernel_mean_matching(shift: Shift) -> Adapted:
    """The source's head, fitted to source images with the weights of `matched`."""
    gamma = bandwidth(shift.u_s, shift.u_t)
    weights = matched(kernel(shift.u_s, shift.u_s, gamma), kernel(shift.u_s, shift.u_t, gamma))
    return fitted(shift, weights=weights / weights.mean(), recipe={"gamma": gamma, "effective": effective(weights)})


def matched(k_ss: Doubles, k_st: Doubles, *, largest: float = LARGEST, steps: int = STEPS) -> Doubles:
    """β under which the means in the kernel's space, (1/n) Σᵢ βᵢ φ(zᵢ) and (1/m) Σⱼ φ(zⱼ), are nearest.

    It minimises

        ½ βᵀKβ − κᵀβ,   κᵢ = (n/m) Σⱼ k(zᵢ, zⱼ),   0 ≤ βᵢ ≤ B,   |mean β − 1| ≤ B/√n.

    Huang, Smola, Gretton, Borgwardt & Schölkopf, *Correcting Sample Selection Bias by Unlabeled Data*, NIPS
    2006. By projected gradients with Nesterov's acceleration (Beck & Teboulle 2009).

    Parameters
    ----------
    k_ss, k_st : kernels of the source's images with themselves and with the target's, ``(n, n)`` and ``(n, m)``.
    largest : B.

    Examples
    --------
    >>> u_s, u_t = np.array([[0.0], [1.0]]), np.array([[1.0]])
    >>> matched(kernel(u_s, u_s, 1.0), kernel(u_s, u_t, 1.0)).round(2).tolist()
    [0.0, 2.0]
    """
    n = len(k_ss)
    kappa = n * k_st.mean(axis=1)
    slack = min(largest / np.sqrt(n), 1.0)
    step = 1.0 / float(np.linalg.norm(k_ss, 2) if n < 200 else _largest(k_ss))
    beta = ahead = np.ones(n)
    pace = 1.0
    for _ in range(steps):
        new = _project(ahead - step * (k_ss @ ahead - kappa), largest, slack)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = new + (pace - 1) / faster * (new - beta)
        beta, pace = new, faster
    return beta


def kernel(a: Doubles, b: Doubles, gamma: float) -> Doubles:
    """exp(−γ ‖aᵢ − bⱼ‖²), ``(n, m)``."""
    found: Doubles = np.exp(-gamma * cdist(a, b, "sqeuclidean"))
    return found


def bandwidth(a: Doubles, b: Doubles, *, most: int = 500) -> float:
    """γ = 1 / (2 σ²), σ being the median distance between rows of both."""
    rows = np.concatenate([x[np.linspace(0, len(x) - 1, min(most, len(x))).astype(int)] for x in (a, b)])
    distances = cdist(rows, rows, "sqeuclidean")
    return 1.0 / (2 * max(float(np.median(distances[np.triu_indices(len(rows), 1)])), 1e-12))


def _largest(k: Doubles) -> float:
    """An upper bound of the largest eigenvalue: the largest sum of a row."""
    return float(np.abs(k).sum(axis=1).max())


def _project(beta: Doubles, largest: float, slack: float) -> Doubles:
    """The nearest point with 0 ≤ β ≤ B and |mean β − 1| ≤ slack: a shift found by halving, then the box."""
    boxed = np.clip(beta, 0.0, largest)
    wanted = min(max(float(boxed.mean()), 1 - slack), 1 + slack)
    if wanted == boxed.mean():
        return boxed
    low, high = -float(np.abs(beta).max()) - largest, float(np.abs(beta).max()) + largest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(beta + middle, 0.0, largest).mean() < wanted else (low, middle)
    return np.clip(beta + high, 0.0, largest)
