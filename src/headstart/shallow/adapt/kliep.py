"""KLIEP: importance weights as a sum of kernels around target images, of highest likelihood."""

from __future__ import annotations

import numpy as np

from headstart.shallow.adapt.density import capped, effective
from headstart.shallow.adapt.kmm import bandwidth, kernel
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles

CENTRES = 100
SCALES = (0.5, 1.0, 2.0, 4.0)
"""Kernel widths that are tried, in units of the median distance."""
FOLDS = 5
STEPS = 1000


def kliep(shift: Shift) -> Adapted:
    """The source's head, fitted to source images that count w(z) = Σ_l α_l k(z, c_l).

    α maximises the target's mean log w (`fit_alpha`); the centres c are target images, and the width of the
    kernel is the one under which held-out target images are likeliest. Sugiyama, Nakajima, Kashima, von Bünau &
    Kawanabe, *Direct Importance Estimation with Model Selection*, NIPS 2007. w is capped, and has mean one.
    """
    rng = np.random.default_rng(shift.seed)
    mixed = rng.permutation(len(shift.u_t))
    centres, fold = shift.u_t[mixed[:CENTRES]], mixed % FOLDS
    gammas = [bandwidth(shift.u_s, shift.u_t) / scale**2 for scale in SCALES]
    gamma = max(gammas, key=lambda one: _likelihood(shift, centres, fold, one))
    a, b = kernel(shift.u_t, centres, gamma), kernel(shift.u_s, centres, gamma)
    weights = capped(b @ fit_alpha(a, b.mean(axis=0)))
    return fitted(shift, weights=weights, recipe={"gamma": gamma, "effective": effective(weights)})


def fit_alpha(a: Doubles, b: Doubles, *, steps: int = STEPS, tolerance: float = 1e-10) -> Doubles:
    """α ≥ 0 that maximises mean_j log Σ_l α_l a_jl subject to Σ_l α_l b_l = 1.

    With β_l = α_l b_l these are the shares of a mixture of known components a_jl / b_l, for which EM,

        β_l ← β_l · mean_j (a_jl / b_l) / Σ_l' β_l' (a_jl' / b_l'),

    climbs in every step to the one maximum (the problem is concave), with no step size to choose.

    Parameters
    ----------
    a : kernels of target images with the centres, ``(m, l)``.
    b : mean kernels of the source's images with the centres, ``(l,)``.

    Examples
    --------
    >>> fit_alpha(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.5, 0.5])).tolist()
    [1.0, 1.0]
    """
    density = a / np.maximum(b, 1e-300)
    beta = np.full(len(b), 1 / len(b))
    before = -np.inf
    for _ in range(steps):
        mixed = np.maximum(density @ beta, 1e-300)
        value = float(np.log(mixed).mean())
        if value - before < tolerance:
            break
        beta, before = beta * (density / mixed[:, None]).mean(axis=0), value
    return beta / np.maximum(b, 1e-300)


def _likelihood(shift: Shift, centres: Doubles, fold: np.ndarray, gamma: float) -> float:
    """Mean log w of target images that α was not fitted to."""
    a, b = kernel(shift.u_t, centres, gamma), kernel(shift.u_s, centres, gamma).mean(axis=0)
    found = []
    for number in range(FOLDS):
        alpha = fit_alpha(a[fold != number], b, steps=100)
        found.append(np.log(np.maximum(a[fold == number] @ alpha, 1e-300)).mean())
    return float(np.mean(found))
