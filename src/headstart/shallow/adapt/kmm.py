"""Kernel mean matching: weights under which the source's mean in a kernel's space is the target's."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from headstart.shallow.adapt.density import effective
from headstart.shallow.adapt.interior_point import least
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles
from headstart.shallow.threads import one_thread

LARGEST = 10.0
"""B: what an image may count for, before weights are scaled to a mean of one."""
MOST = 0.99
"""What the mean may be off by, where B/√n is more: weights that are all nought would be no weights."""
SAME = 1e-20
"""Squared distance, beside the largest squared length, below which two rows are one."""


def kernel_mean_matching(shift: Shift) -> Adapted:
    """The source's head, fitted to source images with the weights of `matched`."""
    gamma = bandwidth(shift.u_s, shift.u_t)
    with one_thread():
        weights, gap = matched(kernel(shift.u_s, shift.u_s, gamma), kernel(shift.u_s, shift.u_t, gamma))
    recipe = {"gamma": gamma, "effective": effective(weights), "gap": gap}
    return fitted(shift, weights=weights / weights.mean(), recipe=recipe)


def matched(k_ss: Doubles, k_st: Doubles, *, largest: float = LARGEST) -> tuple[Doubles, float]:
    """β under which the means in the kernel's space, (1/n) Σᵢ βᵢ φ(zᵢ) and (1/m) Σⱼ φ(zⱼ), are nearest.

    It minimises

        ½ βᵀKβ − κᵀβ,   κᵢ = (n/m) Σⱼ k(zᵢ, zⱼ),   0 ≤ βᵢ ≤ B,   |mean β − 1| ≤ min(B/√n, 0.99).

    Huang, Smola, Gretton, Borgwardt & Schölkopf, *Correcting Sample Selection Bias by Unlabeled Data*, NIPS
    2006. Beside β stands what the squared distance of the means may be above its least.

    Parameters
    ----------
    k_ss, k_st : kernels of the source's images with themselves and with the target's, ``(n, n)`` and ``(n, m)``.
    largest : B, at least 1.

    Examples
    --------
    >>> u_s, u_t = np.array([[0.0], [1.0]]), np.array([[1.0]])
    >>> matched(kernel(u_s, u_s, 1.0), kernel(u_s, u_t, 1.0))[0].round(5).tolist()
    [0.0, 2.0]
    """
    n = len(k_ss)
    slack = min(largest / np.sqrt(n), MOST)
    start = min(1.0, largest * (1 - 0.5 / np.sqrt(n)))
    kappa = n * k_st.mean(axis=1)
    beta, gap = least(k_ss, kappa, top=largest, total=(n * (1 - slack), n * (1 + slack)), start=start)
    return beta, 2 * gap / n**2


def kernel(a: Doubles, b: Doubles, gamma: float) -> Doubles:
    """exp(−γ ‖aᵢ − bⱼ‖²), ``(n, m)``."""
    found: Doubles = np.exp(-gamma * cdist(a, b, "sqeuclidean"))
    return found


def bandwidth(a: Doubles, b: Doubles, *, most: int = 500) -> float:
    """γ = 1 / (2 σ²), σ being the median distance between rows of both that differ; 1 where none do."""
    rows = np.concatenate([x[np.linspace(0, len(x) - 1, min(most, len(x))).astype(int)] for x in (a, b)])
    distances = cdist(rows, rows, "sqeuclidean")
    apart = distances[np.triu_indices(len(rows), 1)]
    # Rows of the same image may differ in their last bits.
    differ = apart > SAME * max(float(np.square(rows).sum(axis=1).max()), np.finfo(float).tiny)
    return 1.0 / (2 * float(np.median(apart[differ]))) if differ.any() else 1.0
