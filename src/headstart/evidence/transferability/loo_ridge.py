"""Ridge, leave-one-out: how often a linear head on the frozen features is right."""

from __future__ import annotations

import numpy as np

from headstart.evidence import ridge
from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import Doubles, checked, one_hot

PENALTIES = tuple(float(penalty) for penalty in np.logspace(6, 0, 13))
"""From the strongest to the weakest: of equally good ones the strongest is taken."""


def loo_ridge(z: Floats, y: Classes) -> float:
    """Leave-one-out accuracy of ridge regression on one-hot labels at its best penalty, a share; higher is better.

    With t̂₋ᵢ(λ) the prediction for row i of `z` of the ridge fitted to all other rows, exact and from one
    factorisation (`headstart.evidence.ridge.leave_one_out`),

        max_λ (1/n) Σᵢ [argmax_c t̂₋ᵢ(λ)_c = yᵢ],   λ in `PENALTIES`.

    Allen, *The Relationship Between Variable Selection and Data Augmentation and a Method for Prediction*,
    Technometrics 1974. The maximum is over 13 penalties on the images that it is measured on: as an
    accuracy it is slightly flattering, by about the same for every network. Features are standardised
    with all rows, so the score does not change when a feature is shifted or scaled.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> loo_ridge(np.array([[0.0], [1.0], [8.0], [9.0]]), np.array([0, 0, 1, 1]))
    1.0
    """
    return float(contributions(z, y).mean())


def contributions(z: Floats, y: Classes) -> Doubles:
    """Whether each image is predicted right at the best penalty, (n,): 1 or 0."""
    features, index = checked(z, y)
    predicted = ridge.leave_one_out(features, one_hot(index), PENALTIES).argmax(axis=2)
    right = np.asarray(predicted == index, dtype=np.float64)
    best: Doubles = right[right.mean(axis=1).argmax()]
    return best
