"""Linear discriminant analysis with a shrunken covariance."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from headstart.evidence.ridge import ROWS, centre_and_scale
from headstart.shallow.centroid import class_means
from headstart.shallow.linear import Doubles, Indices, LinearHead, Singles, fold_in


class LDAHead(LinearHead):
    """Bayes' rule for Gaussian classes with means μ_c, priors π_c and one shared covariance Σ.

        logit_c = z · Σ⁻¹μ_c − μ_cᵀΣ⁻¹μ_c / 2 + log π_c,
        Σ = (1 − s) S + s (tr S / d) I,

    S being the covariance within the classes, of standardised features, pooled over the classes. s None is
    the value that minimises the expected ‖Σ − Σ_true‖² (Ledoit & Wolf, *JMVA* 2004). Solved with one
    Cholesky factor of (d, d) or (n, n), whichever is smaller.

    Parameters
    ----------
    shrinkage : s between 0 and 1, or None to estimate it.
    class_weight : None for priors as in the data, ``"balanced"`` for equal priors.
    temperature : divides the logits before the softmax.

    Attributes
    ----------
    shrinkage_ : the s that was used.

    Examples
    --------
    >>> z = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> LDAHead().fit(z, [0, 0, 1, 1]).predict([[2.0], [8.0]]).tolist()
    [0, 1]
    """

    shrinkage_: float

    def __init__(
        self, shrinkage: float | None = None, *, class_weight: str | None = None, temperature: float = 1.0
    ) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight
        self.temperature = temperature

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        mean, scale = centre_and_scale(z)
        means = (class_means(z, index, k) - mean) / scale
        n, d = z.shape

        def within(at: int, to: int) -> Doubles:
            return (z[at:to] - mean) / scale - means[index[at:to]]

        rows = within(0, n) if n < d else None
        if rows is not None:
            gram = rows @ rows.T
            norms = gram.diagonal()
        else:  # many images: their deviations are never held all at once
            gram, norms = np.zeros((d, d)), np.empty(n)
            for at in range(0, n, ROWS):
                block = within(at, at + ROWS)
                gram += block.T @ block
                norms[at : at + ROWS] = np.square(block).sum(axis=1)
        average = float(np.trace(gram)) / (n * d)
        s = _ledoit_wolf(norms, gram, d) if self.shrinkage is None else float(self.shrinkage)
        self.shrinkage_ = s
        # Classes without any spread (one image each) would leave nothing to invert.
        a, c = (1 - s) / n, max(s, 1e-6) * max(average, 1e-12)
        factor = cho_factor(a * gram + c * np.eye(len(gram)))
        if rows is None:
            weight = cho_solve(factor, means.T).T
        else:
            # Woodbury: (a RᵀR + cI)⁻¹ = (I − a Rᵀ(a RRᵀ + cI)⁻¹R) / c.
            weight = (means - a * cho_solve(factor, rows @ means.T).T @ rows) / c
        priors = np.full(k, 1 / k) if self.class_weight else np.bincount(index, minlength=k) / len(index)
        bias = np.log(priors) - (weight * means).sum(axis=1) / 2
        return fold_in(weight, bias, mean, scale)


def _ledoit_wolf(norms: Doubles, gram: Doubles, d: int) -> float:
    """The shrinkage that minimises the expected squared error of the covariance of n centred rows of d features.

    With S = RᵀR / n and m = tr S / d: δ = ‖S‖²/d − m², β = (Σᵢ ‖rᵢ‖⁴/n − ‖S‖²) / (n d), s = min(β, δ) / δ.
    `norms` (n,) holds ‖rᵢ‖², `gram` is RᵀR or RRᵀ, which have the same norm.
    """
    n = len(norms)
    squared = float(np.square(gram).sum()) / n**2
    delta = squared / d - (float(norms.sum()) / (n * d)) ** 2
    beta = (float(np.square(norms).sum()) / n - squared) / (n * d)
    return min(beta, delta) / delta if delta > 0 else 1.0
