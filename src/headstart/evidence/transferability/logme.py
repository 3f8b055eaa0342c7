"""LogME: the evidence of a Bayesian linear regression of every class on the features."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.ridge import span
from headstart.evidence.transferability.checking import Doubles, checked, one_hot

STEPS = 1000
CHANGE = 1e-8
"""The fixed point is reached where α/β changes by less than this share."""

LARGEST = 1e12
"""Of α/β in units of the features' mean square: beyond it the weights are zero, and the evidence constant."""

SMALLEST = 1e-14
"""Of α/β in the same units, and of the share of ‖t‖² that stays unexplained: without noise there is no evidence."""


def logme(z: Floats, y: Classes) -> float:
    """Logarithm of the maximum evidence, in nats an image and class; higher is better.

    For each class c the indicators t ∈ {0, 1}ⁿ of yᵢ = c are regressed on the features Z (n, d = `z`),
    t ~ N(Zw, β⁻¹I) with w ~ N(0, α⁻¹I). With A = αI + βZᵀZ and m = βA⁻¹Zᵀt,

        log p(t | α, β) = (n/2) log β + (d/2) log α − (n/2) log 2π − (β/2)‖Zm − t‖² − (α/2)‖m‖² − ½ log|A|

    is maximised by the fixed point α ← γ/‖m‖², β ← (n − γ)/‖Zm − t‖², γ = Σⱼ βsⱼ/(α + βsⱼ), sⱼ the
    eigenvalues of ZᵀZ. The score is the mean over classes, divided by n. As published, features are not
    centred; it does not change when they are rotated or scaled. You, Liu, Wang & Long, *LogME: Practical
    Assessment of Pre-trained Models for Transfer Learning*, ICML 2021; the fixed point is that of You, Liu,
    Zhang, Wang, Jordan & Long, *Ranking and Tuning Pre-trained Models*, JMLR 2022.

    The authors' code leaves ½(d − n) log α out of log|A| where features are more than images; this is the
    evidence itself in either case. It also takes at most 11 steps; here the fixed point is reached.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> round(logme(np.array([[1.0, 0.0], [1.1, 0.1], [0.0, 1.0], [0.1, 1.1]]), np.array([0, 0, 1, 1])), 3)
    -0.045
    """
    features, index = checked(z, y)
    targets = one_hot(index)
    basis, values = span(features)
    values = values / (np.square(features).sum() / features.shape[1] or 1.0)
    squared = np.square(basis.T @ targets)
    outside = np.maximum(targets.sum(axis=0) - squared.sum(axis=0), 0.0)
    pairs = zip(squared.T, outside, strict=True)
    return float(np.mean([_evidence(values, own, float(left), len(features)) for own, left in pairs]))


def _evidence(values: Doubles, squared: Doubles, outside: float, n: int) -> float:
    """Maximum of log p(t | α, β) / n for one class, written in the ratio α/β and β.

    `values` sⱼ; `squared` (uⱼᵀt)²; `outside` the part of ‖t‖² that the features do not span. With log|A| and
    (d/2) log α taken together, the directions that Z does not span drop out. At the maximum
    β (‖Zm − t‖² + (α/β)‖m‖²) = n.
    """
    ratio = 1.0
    least = SMALLEST * (squared.sum() + outside)
    gamma, norm, residual = _parts(values, squared, outside + least, ratio=ratio)
    for _ in range(STEPS):
        grown = gamma * residual / ((n - gamma) * norm) if norm > 0 else LARGEST
        before, ratio = ratio, float(np.clip(grown, SMALLEST, LARGEST))
        gamma, norm, residual = _parts(values, squared, outside + least, ratio=ratio)
        if abs(ratio - before) <= CHANGE * before:
            break
    fitted = n * np.log(n / (2 * np.pi * (residual + ratio * norm)))
    return float(fitted - n - np.log1p(values / ratio).sum()) / (2 * n)


def _parts(values: Doubles, squared: Doubles, outside: float, *, ratio: float) -> tuple[float, float, float]:
    """γ, ‖m‖² and ‖Zm − t‖² at this α/β."""
    total = values + ratio
    gamma = float((values / total).sum())
    norm = float((values * squared / total**2).sum())
    return gamma, norm, float((squared * (ratio / total) ** 2).sum()) + outside
