"""Ridge regression on one-hot labels."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from headstart.evidence import ridge
from headstart.shallow.linear import Doubles, Indices, LinearHead, Singles, row_weights


class RidgeHead(LinearHead):
    """argmin Σᵢ wᵢ ‖onehot(yᵢ) − W zᵢ − b‖² + penalty ‖W‖², on standardised features, in closed form.

    Predicts as well as logistic regression on most frozen features and is the cheapest head to choose a
    penalty for. Its logits are regression scores (about 0 to 1), so that it needs a temperature well
    below one. See `headstart.evidence.ridge`; `penalty` is the ``alpha`` of scikit-learn's ``Ridge``.

    Parameters
    ----------
    penalty : λ ≥ 0.
    class_weight : None, or ``"balanced"`` for wᵢ = n / (k n_c).
    temperature : divides the logits before the softmax.

    Examples
    --------
    >>> z = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> RidgeHead(penalty=1.0).fit(z, [0, 0, 1, 1]).predict([[2.0], [8.0]]).tolist()
    [0, 1]
    """

    def __init__(self, penalty: float = 1000.0, *, class_weight: str | None = None, temperature: float = 1.0) -> None:
        self.penalty = penalty
        self.class_weight = class_weight
        self.temperature = temperature

    def fit_weighted(self, z: ArrayLike, y: ArrayLike, weights: Doubles) -> Self:
        """`fit`, in which row i counts `weights` ``(n,)`` times as much; mean one keeps the penalty's meaning."""
        features, classes, index = self._checked(z, y)
        return self._keep(classes, *self._solve_weighted(features, index, len(classes), weights))

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        return self._solve_weighted(z, index, k, row_weights(index, k, self.class_weight))

    def _solve_weighted(self, z: Singles, index: Indices, k: int, weights: Doubles) -> tuple[Doubles, Doubles]:
        fitted = ridge.fit(z, np.eye(k)[index], [self.penalty], weights=weights)
        return fitted.weight[0], fitted.bias[0]
