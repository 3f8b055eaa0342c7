"""LEEP: how well the source's own classes predict the target's."""

from __future__ import annotations

import numpy as np

from headstart.errors import DataError
from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import Doubles, checked, one_hot


def leep(theta: Floats, y: Classes) -> float:
    """Log expected empirical prediction, in nats an image; at most 0, and higher is better.

    With θᵢ the source classifier's probabilities for image i (row i of `theta`),

        P(c, z) = (1/n) Σ_{i: yᵢ=c} θᵢ[z],   P(c | z) = P(c, z) / Σ_c P(c, z),
        LEEP = (1/n) Σᵢ log Σ_z P(yᵢ | z) θᵢ[z].

    Nguyen, Hassner, Seeger & Archambeau, *LEEP: A New Measure to Evaluate Transferability of Learned
    Representations*, ICML 2020.

    Parameters
    ----------
    theta : ``(n, classes of the source)``, rows summing to one.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`; or a row of `theta` holds no probabilities.

    Examples
    --------
    >>> leep(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.array([0, 0, 1, 1]))
    0.0
    """
    return float(contributions(theta, y).mean())


def contributions(theta: Floats, y: Classes) -> Doubles:
    """What each image adds to the mean, (n,)."""
    probabilities, index = checked(theta, y)
    refuse_other_than_probabilities(probabilities)
    joint = one_hot(index).T @ probabilities
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    expected = np.einsum("iz,iz->i", conditional[index], probabilities)
    # An image whose probabilities sum to less than one in single precision must not gain by it.
    return np.asarray(np.log(np.minimum(expected / probabilities.sum(axis=1), 1.0)))


def refuse_other_than_probabilities(theta: Doubles) -> None:
    """Rows must be non-negative and sum to one, but for rounding.

    Raises
    ------
    DataError : they do not.
    """
    if theta.min() < 0 or np.abs(theta.sum(axis=1) - 1).max() > 1e-3:
        raise DataError("Some rows are not probabilities.", "Apply the softmax to the source's logits first.")
