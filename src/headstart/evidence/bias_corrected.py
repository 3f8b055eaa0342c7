"""Bias-corrected temperature scaling: probabilities that are right on average for every class.

Alexandari, Kundaje & Shrikumar, *Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
Adaptation*, ICML 2020: a temperature alone leaves some classes too probable, which estimates of a prior then multiply.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from headstart.evidence.calibration import softmax
from headstart.evidence.metrics import Classes, Floats

Doubles = NDArray[np.float64]

IMAGES = 1.0
"""How many images of each class stand behind the biases beforehand, lest a class without any gets an infinite one."""


def bias_corrected(logits: Floats, y: Classes, others: Floats) -> tuple[Doubles, Doubles]:
    """Probabilities softmax(a s + b) of rows whose classes are known, and of others, ``(n, k)`` and ``(m, k)``.

    a > 0 and b ``(k,)`` minimise the log loss of the known rows, with a penalty on b as of `IMAGES` images a class.

    Parameters
    ----------
    logits, y : of rows that no model was fitted to, ``(n, k)`` and ``(n,)``.
    others : logits of the same kind, ``(m, k)``.

    Examples
    --------
    >>> known, _ = bias_corrected(np.zeros((400, 2)), np.repeat([0, 1], [300, 100]), np.zeros((1, 2)))
    >>> known[0].round(2).tolist()
    [0.75, 0.25]
    """
    scores, n, k = np.asarray(logits, dtype=np.float64), len(y), logits.shape[1]
    onehot = np.eye(k)[y]
    unit = float(scores.std()) or 1.0

    def loss(theta: Doubles) -> tuple[float, Doubles]:
        a, b = np.exp(theta[0]) / unit, theta[1:]
        shares = softmax(a * scores + b)
        own = np.clip(shares[np.arange(n), y], 1e-300, None)
        left = shares - onehot
        slope = np.concatenate([[a * (left * scores).sum()], left.sum(axis=0) + IMAGES * b])
        return float(-np.log(own).sum() + IMAGES / 2 * b @ b) / n, slope / n

    found = minimize(loss, np.zeros(k + 1), jac=True, method="L-BFGS-B", bounds=[(-5, 8)] + [(None, None)] * k)
    a, b = np.exp(found.x[0]) / unit, found.x[1:]
    return softmax(a * scores + b), softmax(a * np.asarray(others, dtype=np.float64) + b)
