"""Heads fitted to one domain and read on both, never on an image whose group they were fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.evidence import ridge
from headstart.evidence.metrics import Classes, Floats

PENALTIES = (0.01, 0.1, 1.0)
"""Of the ridge, times the images that it is fitted to."""


def cross_fitted(
    z: Floats, y: Classes, fitted: NDArray[np.bool_], fold: Classes, k: int, *, penalties: Sequence[float] = PENALTIES
) -> NDArray[np.float32]:
    """Logits ``(p, n, k)`` of every row by the ridge of the rows to be `fitted` in all other folds.

    Parameters
    ----------
    z, y, fold : features ``(n, d)``, classes (of the rows to be fitted; others are not read) and folds, ``(n,)``.
    fitted : rows of the domain that heads are fitted to, ``(n,)``.
    penalties : times the number of rows fitted.

    Examples
    --------
    >>> z = np.array([[0.0], [1.0], [8.0], [9.0], [0.5], [8.5]])
    >>> logits = cross_fitted(z, np.array([0, 0, 1, 1, 0, 0]), np.arange(6) < 4, np.array([0, 1, 0, 1, 0, 1]), 2)
    >>> logits[0].argmax(axis=1).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    out = np.zeros((len(penalties), len(z), k), dtype=np.float32)
    onehot = np.eye(k)
    for number in np.unique(fold):
        held, own = fold == number, fitted & (fold != number)
        if own.any() and held.any():
            scaled = [penalty * int(own.sum()) for penalty in penalties]
            out[:, held] = ridge.fit(z[own], onehot[y[own]], scaled).predict(z[held])
    return out


def best_penalty(logits: NDArray[np.float32], y: Classes, rows: NDArray[np.bool_]) -> int:
    """Which of the penalties is right most often on `rows`; of equals the largest."""
    right = (logits[:, rows].argmax(axis=2) == y[rows]).mean(axis=1)
    return len(right) - 1 - int(right[::-1].argmax())
