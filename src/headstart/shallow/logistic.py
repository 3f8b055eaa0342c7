"""Multinomial logistic regression by L-BFGS, for a path of penalties at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from headstart.evidence.ridge import centre_and_scale
from headstart.shallow.linear import Doubles, Indices, LinearHead, Singles, fold_in, row_weights


class LogisticHead(LinearHead):
    """argmin Σᵢ wᵢ (−log softmax(W zᵢ + b)[yᵢ]) + penalty/2 ‖W‖², on standardised features.

    scikit-learn's ``C`` is 1 / `penalty`; the bias is not penalised. Where the images are fewer than the
    features, W is a combination of the images: the problem is solved in the coordinates of the space
    that they span, which changes neither the logits nor ‖W‖.

    Parameters
    ----------
    penalty : λ > 0.
    max_iter : at most so many steps of L-BFGS.
    class_weight : None, or ``"balanced"`` for wᵢ = n / (k n_c).
    temperature : divides the logits before the softmax.

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
    ) -> None:
        self.penalty = penalty
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.temperature = temperature

    def path(self, z: ArrayLike, y: ArrayLike, penalties: Sequence[float]) -> Iterator[Self]:
        """The head fitted with each of `penalties` in turn, each from where the one before ended.

        The optima are those of `fit`; the way to them is shorter, above all from large to small penalties.
        The same object is given each time.
        """
        features, classes, index = self._checked(z, y)
        for weight, bias in self._solutions(features, index, len(classes), penalties):
            yield self._keep(classes, weight, bias)

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        return next(self._solutions(z, index, k, [self.penalty]))

    def _solutions(
        self, z: Singles, index: Indices, k: int, penalties: Sequence[float]
    ) -> Iterator[tuple[Doubles, Doubles]]:
        mean, scale = centre_and_scale(z)
        rows, basis = _span(z, mean, scale)
        weights = row_weights(index, k, self.class_weight)
        theta = np.zeros((k, rows.shape[1]))
        for penalty in penalties:
            self.penalty = penalty
            found = minimize(
                partial(_loss, rows=rows, index=index, weights=weights, penalty=penalty),
                theta.ravel(),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": self.max_iter, "ftol": 1e-7, "gtol": 1e-5},
            )
            self.n_iter_ = int(found.nit)
            theta = found.x.reshape(k, -1)
            weight = theta[:, :-1] if basis is None else theta[:, :-1] @ basis.T
            yield fold_in(weight, theta[:, -1], mean, scale)


def _span(z: Singles, mean: Doubles, scale: Doubles) -> tuple[Singles, Doubles | None]:
    """Standardised rows with a column of ones, as ``(n, r + 1)``.

    Where n < d, in an orthonormal basis ``(d, r)`` of what they span; as they are (None) elsewhere.
    """
    n, d = z.shape
    if n >= d:
        rows = np.ones((n, d + 1), dtype=np.float32)
        np.subtract(z, mean.astype(np.float32), out=rows[:, :-1])
        rows[:, :-1] /= scale.astype(np.float32)
        return rows, None
    standard = (z - mean) / scale
    values, vectors = np.linalg.eigh(standard @ standard.T)
    kept = values > 1e-10 * values[-1]
    length = np.sqrt(values[kept])
    rows = np.concatenate([vectors[:, kept] * length, np.ones((n, 1))], axis=1).astype(np.float32)
    return rows, standard.T @ (vectors[:, kept] / length)


def _loss(flat: Doubles, *, rows: Singles, index: Indices, weights: Doubles, penalty: float) -> tuple[float, Doubles]:
    """The mean loss and its gradient; products in single precision, sums in double."""
    n = len(rows)
    own = np.arange(n), index
    theta = flat.reshape(-1, rows.shape[1])
    logits = (rows @ theta.T.astype(np.float32)).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    total = shares.sum(axis=1)
    value = weights @ (np.log(total) - logits[own])
    shares /= total[:, None]
    shares[own] -= 1
    shares *= weights[:, None]
    gradient = (shares.T.astype(np.float32) @ rows).astype(np.float64)
    gradient[:, :-1] += penalty * theta[:, :-1]
    value += penalty / 2 * np.square(theta[:, :-1]).sum()
    return value / n, gradient.ravel() / n
