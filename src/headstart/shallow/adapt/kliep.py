"""KLIEP: importance weights as a sum of kernels around target images, of highest likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from headstart.shallow.adapt.density import capped, effective
from headstart.shallow.adapt.kmm import bandwidth
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles
from headstart.shallow.threads import one_thread

CENTRES = 100
SCALES = (0.5, 1.0, 2.0, 4.0)
"""Kernel widths that are tried, in units of the median distance."""
FOLDS = 5
STEPS = 100
"""Of Newton's method, at most; one to fourteen were seen to do at widths that are tried."""
HEAVY = 1e3
TINY = 1e-300


def kliep(shift: Shift) -> Adapted:
    """The source's head, fitted to source images that count w(z) = Σ_l α_l k(z, c_l).

    α ≥ 0 maximises the target's mean log w, while w has mean one on the source (`fit_shares`); the centres c are
    target images, and the width of the kernel is the one under which held-out target images are likeliest. Sugiyama,
    Nakajima, Kashima, von Bünau & Kawanabe, *Direct Importance Estimation with Model Selection*, NIPS 2007. w is
    capped, and has mean one.
    """
    rng = np.random.default_rng(shift.seed)
    mixed = rng.permutation(len(shift.u_t))
    centres, fold = shift.u_t[mixed[:CENTRES]], mixed % min(FOLDS, len(mixed))
    gammas = [bandwidth(shift.u_s, shift.u_t) / scale**2 for scale in SCALES]
    with one_thread():
        gamma = max(gammas, key=lambda one: _likelihood(shift, centres, fold, one))
        parts = components(shift.u_s, centres, gamma)
        shares = fit_shares(parts(shift.u_t))
        weights = capped(np.exp(parts(shift.u_s)) @ shares)
    return fitted(shift, weights=weights, recipe={"gamma": gamma, "effective": effective(weights)})


def components(u_s: Doubles, centres: Doubles, gamma: float) -> Callable[[Doubles], Doubles]:
    """Rows ``(m, d)`` → log k(z, c_l) − log mean_i k(z_i, c_l), ``(m, l)``: kernels of mean one on the source.

    In logarithms, for a centre may be so far from the source that all its kernels are nought in floating point.
    """
    scale = logsumexp(-gamma * cdist(u_s, centres, "sqeuclidean"), axis=0) - np.log(len(u_s))

    def of(rows: Doubles) -> Doubles:
        found: Doubles = -gamma * cdist(rows, centres, "sqeuclidean") - scale
        return found

    return of


def fit_shares(logs: Doubles, *, tolerance: float = 1e-9) -> Doubles:
    """β ≥ 0 with Σ β = 1 that maximises mean_j log Σ_l β_l d_jl, the shares of a mixture of known components d.

    Of KLIEP these are d_jl = k(z_j, c_l) / b_l and β_l = α_l b_l, b_l being the mean kernel of the source's images
    with a centre. It is concave, and

        max_l mean_j d_jl / Σ_l' β_l' d_jl'  −  1

    is nought at its maximum, and elsewhere bounds what the mean log is short of it. Steps are those of the constrained
    Newton method, which takes ‖S β − 2‖² for S = d / (d β) instead of the likelihood, and solves that: Wang, *On fast
    computation of the non-parametric maximum likelihood estimate of a mixing distribution*, JRSS B 2007.

    Parameters
    ----------
    logs : log d, ``(m, l)``.
    tolerance : what the mean log may be short of its maximum.

    Examples
    --------
    >>> fit_shares(np.log([[4.0, 1.0], [1.0, 4.0]])).round(6).tolist()
    [0.5, 0.5]
    """
    # A factor of a row moves neither the maximum nor the steps.
    density = np.exp(logs - logs.max(axis=1, keepdims=True))
    beta = np.full(density.shape[1], 1 / density.shape[1])
    for _ in range(STEPS):
        mixed = np.maximum(density @ beta, TINY)
        ratios = density / mixed[:, None]
        gradient = ratios.mean(axis=0)
        if gradient.max() - 1 < tolerance:
            break
        beta = _higher(density, beta, _newton(ratios) - beta, before=float(np.log(mixed).mean()), gradient=gradient)
    return beta


def _newton(ratios: Doubles) -> Doubles:
    """Argmin ‖S β − 2‖² over β ≥ 0 with Σ β = 1, which is one more row of large weight."""
    m, components = ratios.shape
    rows = np.concatenate([ratios, np.full((1, components), HEAVY * np.sqrt(m))])
    q, r = np.linalg.qr(rows)
    found = nnls(r, q.T @ np.append(np.full(m, 2.0), HEAVY * np.sqrt(m)))[0]
    shares: Doubles = found / found.sum()
    return shares


def _higher(density: Doubles, beta: Doubles, step: Doubles, *, before: float, gradient: Doubles) -> Doubles:
    """β a whole step on, or half of it and so on, until the mean log has grown by a third of what its slope says."""
    share = 1.0
    while share > 1e-9:
        value = np.log(np.maximum(density @ (beta + share * step), TINY)).mean()
        if value >= before + share / 3 * (gradient @ step):
            break
        share /= 2
    return beta + share * step


def _likelihood(shift: Shift, centres: Doubles, fold: np.ndarray, gamma: float) -> float:
    """Mean log w of target images that α was not fitted to."""
    logs = components(shift.u_s, centres, gamma)(shift.u_t)
    found = [
        logsumexp(logs[fold == number], b=fit_shares(logs[fold != number]), axis=1).mean()
        for number in range(fold.max() + 1)
    ]
    return float(np.mean(found))
