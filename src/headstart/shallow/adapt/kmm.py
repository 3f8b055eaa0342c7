"""Kernel mean matching: weights under which the source's mean in a kernel's space is the target's."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq
from scipy.spatial.distance import cdist

from headstart.shallow.adapt.density import effective
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles

LARGEST = 10.0
"""B: what an image may count for."""
STEPS = 200
"""Of Newton's method, at most; five to forty do."""
TOLERANCE, ARMIJO, RIDGE = 1e-10, 1e-4, 1e-10


def kernel_mean_matching(shift: Shift) -> Adapted:
    """The source's head, fitted to source images with the weights of `matched`."""
    gamma = bandwidth(shift.u_s, shift.u_t)
    weights = matched(kernel(shift.u_s, shift.u_s, gamma), kernel(shift.u_s, shift.u_t, gamma))
    return fitted(shift, weights=weights / weights.mean(), recipe={"gamma": gamma, "effective": effective(weights)})


def matched(k_ss: Doubles, k_st: Doubles, *, largest: float = LARGEST) -> Doubles:
    """β under which the means in the kernel's space, (1/n) Σᵢ βᵢ φ(zᵢ) and (1/m) Σⱼ φ(zⱼ), are nearest.

    It minimises

        ½ βᵀKβ − κᵀβ,   κᵢ = (n/m) Σⱼ k(zᵢ, zⱼ),   0 ≤ βᵢ ≤ B,   |mean β − 1| ≤ B/√n.

    Huang, Smola, Gretton, Borgwardt & Schölkopf, *Correcting Sample Selection Bias by Unlabeled Data*, NIPS
    2006. Where the mean would leave its interval, the multiplier that holds it at the end of it is found.

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
    beta = boxed(k_ss, kappa, largest)
    wanted = float(np.clip(beta.mean(), 1 - slack, 1 + slack))
    if wanted == beta.mean():
        return beta
    ends = -float(kappa.max()), largest * float(k_ss.sum(axis=1).max())
    held = brentq(lambda one: boxed(k_ss, kappa + one, largest).mean() - wanted, *ends, xtol=1e-10)
    return boxed(k_ss, kappa + held, largest)


def boxed(k: Doubles, kappa: Doubles, largest: float) -> Doubles:
    """Argmin ½ βᵀKβ − κᵀβ for 0 ≤ β ≤ `largest`.

    By projected Newton steps (Bertsekas 1982): what stands at a bound and is pushed against it stays there, the
    others solve their equations.
    """
    beta = np.minimum(np.ones(len(k)), largest)
    for _ in range(STEPS):
        gradient = k @ beta - kappa
        held = ((beta <= 0) & (gradient > 0)) | ((beta >= largest) & (gradient < 0))
        free = np.flatnonzero(~held)
        if not len(free) or np.abs(gradient[free]).max() < TOLERANCE * np.abs(kappa).max():
            break
        # Images that are alike make K singular.
        within = k[np.ix_(free, free)] + RIDGE * np.eye(len(free))
        step = np.zeros(len(k))
        step[free] = -cho_solve(cho_factor(within, lower=True), gradient[free])
        new = _lower(k, beta, step, gradient=gradient, largest=largest)
        if np.abs(new - beta).max() < TOLERANCE:
            break
        beta = new
    return beta


def _lower(k: Doubles, beta: Doubles, step: Doubles, *, gradient: Doubles, largest: float) -> Doubles:
    """β a whole step on, or half of it and so on, within its bounds, until the value has fallen (Armijo)."""
    share = 1.0
    while True:
        new: Doubles = np.clip(beta + share * step, 0.0, largest)
        moved = new - beta
        # The difference of the two values, written so that it keeps its digits.
        fallen = gradient @ moved + 0.5 * moved @ (k @ moved)
        if fallen <= ARMIJO * (gradient @ moved) or share < TOLERANCE:
            return new
        share /= 2


def kernel(a: Doubles, b: Doubles, gamma: float) -> Doubles:
    """exp(−γ ‖aᵢ − bⱼ‖²), ``(n, m)``."""
    found: Doubles = np.exp(-gamma * cdist(a, b, "sqeuclidean"))
    return found


def bandwidth(a: Doubles, b: Doubles, *, most: int = 500) -> float:
    """γ = 1 / (2 σ²), σ being the median distance between rows of both."""
    rows = np.concatenate([x[np.linspace(0, len(x) - 1, min(most, len(x))).astype(int)] for x in (a, b)])
    distances = cdist(rows, rows, "sqeuclidean")
    return 1.0 / (2 * max(float(np.median(distances[np.triu_indices(len(rows), 1)])), 1e-12))
