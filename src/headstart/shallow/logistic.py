"""Multinomial logistic regression by L-BFGS."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from headstart.evidence.ridge import centre_and_scale
from headstart.shallow.linear import Doubles, Indices, LinearHead, Singles, fold_in, row_weights


class LogisticHead(LinearHead):
    """argmin Σᵢ wᵢ (−log softmax(W zᵢ + b)[yᵢ]) + penalty/2 ‖W‖², on standardised features.

    scikit-learn's ``C`` is 1 / `penalty`; the bias is not penalised.

    Parameters
    ----------
    penalty : λ > 0.
    max_iter : at most so many steps of L-BFGS.
    class_weight : None, or ``"balanced"`` for wᵢ = n / (k n_c).
    temperature : divides the logits before the softmax.
    warm_start : start from the last fit's weights where the shapes agree; the optimum is the same, the
        way to it shorter.

    Attributes
    ----------
    n_iter_ : steps taken.

    Examples
    --------
    >>> z = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> LogisticHead(penalty=1.0).fit(z, [0, 0, 1, 1]).predict([[2.0], [8.0]]).tolist()
    [0, 1]
    """

    n_iter_: int

    def __init__(
        self,
        penalty: float = 100.0,
        *,
        max_iter: int = 200,
        class_weight: str | None = None,
        temperature: float = 1.0,
        warm_start: bool = False,
    ) -> None:
        self.penalty = penalty
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.temperature = temperature
        self.warm_start = warm_start

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        mean, scale = centre_and_scale(z)
        rows = np.ones((len(z), z.shape[1] + 1), dtype=np.float32)
        rows[:, :-1] = (z - mean) / scale
        weights, n = row_weights(index, k, self.class_weight), len(z)
        own = np.arange(n), index

        def loss(flat: Doubles) -> tuple[float, Doubles]:
            theta = flat.reshape(k, -1)
            logits = (rows @ theta.T.astype(np.float32)).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits)
            total = shares.sum(axis=1)
            value = weights @ (np.log(total) - logits[own])
            shares /= total[:, None]
            shares[own] -= 1
            shares *= weights[:, None]
            gradient = (shares.T.astype(np.float32) @ rows).astype(np.float64)
            gradient[:, :-1] += self.penalty * theta[:, :-1]
            value += self.penalty / 2 * np.square(theta[:, :-1]).sum()
            return value / n, gradient.ravel() / n

        found = minimize(
            loss,
            self._start(k, mean, scale).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter, "ftol": 1e-7, "gtol": 1e-5},
        )
        self.n_iter_ = int(found.nit)
        theta = found.x.reshape(k, -1)
        return fold_in(theta[:, :-1], theta[:, -1], mean, scale)

    def _start(self, k: int, mean: Doubles, scale: Doubles) -> Doubles:
        start = np.zeros((k, len(mean) + 1))
        if self.warm_start and getattr(self, "weight_", np.empty(0)).shape == (k, len(mean)):
            start[:, :-1] = self.weight_ * scale
            start[:, -1] = self.bias_ + self.weight_ @ mean
        return start
