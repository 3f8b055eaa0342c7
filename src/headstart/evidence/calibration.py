"""Temperature scaling: one number that makes probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from headstart.evidence.metrics import Classes, Floats

COLDEST, HOTTEST = 1e-3, 1e3
"""Bounds of the temperature: wide enough for the scores of any head, narrow enough not to overflow."""


def softmax(logits: Floats) -> NDArray[np.float64]:
    """exp(sᵢₖ) / Σⱼ exp(sᵢⱼ) over the last axis, safe from overflow.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    doubles = np.asarray(logits, dtype=np.float64)
    shares: NDArray[np.float64] = np.exp(doubles - doubles.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def fit_temperature(logits: Floats, y: Classes) -> float:
    """The T that minimises the log loss of softmax(s / T), bounded to 0.001 … 1000.

    Labels are smoothed by ε = 1/(n + 1), the weight of one image more of which nothing is known:

        L(T) = (1/n) Σᵢ [log Σₖ exp(sᵢₖ/T) − (1 − ε) sᵢ[yᵢ]/T − ε mean_k sᵢₖ/T].

    Without it, logits that make no mistake would be sharpened without end (as in Platt, *Probabilistic
    Outputs for Support Vector Machines*, 1999). L is convex in 1/T, hence has one minimum in log T, which a
    bounded line search finds. Scaling never changes which class is predicted. Guo et al., *On Calibration
    of Modern Neural Networks*, ICML 2017. Fit it on logits of images that the model was not fitted to.

    Parameters
    ----------
    logits : ``(n, k)``.
    y : classes, ``(n,)``.

    Examples
    --------
    >>> logits = np.tile([4.0, 0.0], (400, 1))
    >>> y = np.repeat([0, 1], [300, 100])
    >>> round(fit_temperature(logits, y), 2)  # right in 3 of 4, for which the odds are exp(4 / T) = 3
    3.65
    """
    margins = np.asarray(logits, dtype=np.float64)
    margins = margins - margins[np.arange(len(y)), y][:, None]
    highest = margins.max(axis=1)
    below = margins - highest[:, None]
    slope = float(highest.mean() - margins.mean() / (len(y) + 1))

    def loss(log_temperature: float) -> float:
        beta = np.exp(-log_temperature)
        return float(beta * slope + np.log(np.exp(beta * below).sum(axis=1)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
