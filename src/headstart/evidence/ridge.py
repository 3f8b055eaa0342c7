"""Ridge regression in closed form: every penalty from one eigendecomposition, every fold from one Gram.

For features X, centred and divided by their standard deviation, and centred targets T,

    W_λ = argmin ‖T − X W‖² + λ ‖W‖² = (XᵀX + λI)⁻¹ XᵀT,

so with XᵀX = V diag(s) Vᵀ (primal, n ≥ d) or XXᵀ = U diag(s) Uᵀ (dual, n < d),

    W_λ = V diag(1/(s + λ)) Vᵀ XᵀT = Xᵀ U diag(1/(s + λ)) Uᵀ T.

The intercept is not penalised. λ is scikit-learn's ``alpha``. Sums are kept in double precision
whatever the features come in, since a Gram matrix squares their condition number.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from headstart.evidence.metrics import Classes, Floats

Doubles = NDArray[np.float64]
Rows = NDArray[np.intp]

ROWS = 4096
"""Rows that are converted to double precision at a time."""

SPANNED = 1e-12
"""Eigenvalues below this share of the largest are rounding noise: directions that the rows do not span."""

FLOOR = 1e-6
"""Standard deviations below this share of the largest feature's root mean square are rounding noise."""

STILL = 1e-3
"""So are those below this share of the feature's own: a head on raw features takes the mean off in float32, whose
last digit is then 10⁻⁴ of what is left."""


@dataclass(frozen=True)
class Ridge:
    """Fitted linear maps, one for each of p penalties: ``weight`` (p, k, d), ``bias`` (p, k), for raw features."""

    weight: Doubles
    bias: Doubles

    def predict(self, x: Floats) -> NDArray[np.float32]:
        """Predicted targets of all penalties, ``(n, d)`` → ``(p, n, k)``."""
        p, k, d = self.weight.shape
        flat = self.weight.reshape(p * k, d)
        out = np.empty((p, len(x), k), dtype=np.float32)
        for at in range(0, len(x), ROWS):
            rows = x[at : at + ROWS].astype(np.float64) @ flat.T + self.bias.reshape(-1)
            out[:, at : at + ROWS] = rows.reshape(-1, p, k).swapaxes(0, 1)
        return out


@dataclass(frozen=True)
class Moments:
    """Weighted sums over rows, about a fixed `shift` (d,): they add over disjoint sets of rows.

    ``weight`` Σw, ``x`` Σwx (d,), ``t`` Σwt (k,), ``xx`` Σwxxᵀ (d, d), ``xt`` Σwxtᵀ (d, k).
    """

    shift: Doubles
    weight: float
    x: Doubles
    t: Doubles
    xx: Doubles
    xt: Doubles

    def plus(self, other: Moments, *, sign: int = 1) -> Moments:
        """The sums over the rows of both, or, with a sign of −1, over the rows that are not the other's."""
        return Moments(
            self.shift,
            self.weight + sign * other.weight,
            self.x + sign * other.x,
            self.t + sign * other.t,
            self.xx + sign * other.xx,
            self.xt + sign * other.xt,
        )


def fit(x: Floats, targets: Floats, penalties: Sequence[float], *, weights: Floats | None = None) -> Ridge:
    """Ridge for all penalties from one eigendecomposition, of (d, d) or (n, n), whichever is smaller.

    Parameters
    ----------
    x : features, ``(n, d)``.
    targets : ``(n, k)``; for classes, one-hot.
    penalties : λ ≥ 0, in units of summed squares of standardised features.
    weights : how much each row counts, ``(n,)``; mean 1 keeps the meaning of λ.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fitted = fit(x, 2 * x + 1, [0.0])
    >>> fitted.weight.round(6).tolist(), fitted.bias.round(6).tolist()
    ([[[2.0]]], [[1.0]])
    """
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(x) >= x.shape[1]:
        return solve_moments(moments(x, targets, w, shift=x.mean(axis=0, dtype=np.float64)), penalties)
    return _dual(x, targets, w, penalties)


def out_of_fold(
    x: Floats,
    targets: Floats,
    fold: Classes,
    penalties: Sequence[float],
    *,
    weights: Floats | None = None,
    workers: int = 1,
) -> NDArray[np.float32]:
    """Predicted targets of every row by the ridge fitted to the rows of all other folds.

    Where the features are no more than a fold's rows, the sums over a fold's training rows are those over
    all rows minus those over the fold: one pass over the features serves all folds. Elsewhere one
    factorisation of all rows serves them, as in `leave_one_out`, with a fold F in place of a row:

        T_F − √W_F⁻¹ (I − H_FF)⁻¹ √W_F (T_F − T̂_F)

    Features are centred by the training rows' means in both cases; their scale is that of the training rows
    in the first and of all rows in the second, which no target enters.

    Parameters
    ----------
    fold : number of each row's fold, ``(n,)``, at least two of them.
    penalties : λ > 0. Others as in `fit`.
    workers : folds solved at the same time, in threads; the result does not depend on it.

    Returns
    -------
    ``(p, n, k)``.
    """
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    folds = [np.flatnonzero(fold == name) for name in np.unique(fold)]
    if x.shape[1] <= max(len(held) for held in folds):
        return _folds_from_sums(x, targets, w, folds, penalties, workers=workers)
    return _folds_from_factors(_factorise(x, targets, w), targets, folds, penalties, workers=workers)


def _folds_from_sums(
    x: Floats, targets: Floats, w: Doubles, folds: Sequence[Rows], penalties: Sequence[float], *, workers: int
) -> NDArray[np.float32]:
    out = np.empty((len(penalties), len(x), targets.shape[1]), dtype=np.float32)
    shift = x.mean(axis=0, dtype=np.float64)
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda held: moments(x[held], targets[held], w[held], shift=shift), folds))
        total = reduce(Moments.plus, parts)

        def solve(held: Rows, part: Moments) -> None:
            out[:, held] = solve_moments(total.plus(part, sign=-1), penalties).predict(x[held])

        list(pool.map(solve, folds, parts))
    return out


@dataclass(frozen=True)
class _Factors:
    """Rows, scaled by the square roots of their weights, in an orthonormal basis: what all penalties share.

    ``basis`` (n, r) orthonormal columns; ``values`` (r,) eigenvalues of the Gram matrix; ``root`` (n,) roots of
    the weights; ``residual`` (n, k) of the weighted targets about their mean; ``projected`` (r, k) them in the basis.
    """

    basis: Doubles
    values: Doubles
    root: Doubles
    residual: Doubles
    projected: Doubles


def span(rows: Doubles) -> tuple[Doubles, Doubles]:
    """What the rows X (n, d) span: U (n, r) with orthonormal columns and s (r,), so that XXᵀ = U diag(s) Uᵀ.

    From one eigendecomposition, of (d, d) or (n, n), whichever is smaller; s ascends, and what is below
    `SPANNED` of the largest is left out. Rows of zeros span nothing.

    >>> basis, values = span(np.array([[3.0, 0.0], [0.0, 0.0]]))
    >>> np.abs(basis).tolist(), values.tolist()
    ([[1.0], [0.0]], [9.0])
    """
    if len(rows) < rows.shape[1]:
        values, basis = np.linalg.eigh(rows @ rows.T)
        spanned = values > SPANNED * values[-1]
        return basis[:, spanned], values[spanned]
    values, vectors = np.linalg.eigh(rows.T @ rows)
    spanned = values > SPANNED * values[-1]
    values = values[spanned]
    return rows @ (vectors[:, spanned] / np.sqrt(values)), values


def _factorise(x: Floats, targets: Floats, w: Doubles) -> _Factors:
    root = np.sqrt(w)
    mean, scale = centre_and_scale(x, w)
    rows = (x - mean) / scale * root[:, None]
    basis, values = span(rows)
    residual = (targets - w @ targets / w.sum()) * root[:, None]
    return _Factors(basis, values, root, residual, basis.T @ residual)


def _folds_from_factors(
    factors: _Factors, targets: Floats, folds: Sequence[Rows], penalties: Sequence[float], *, workers: int
) -> NDArray[np.float32]:
    out = np.empty((len(penalties), *targets.shape), dtype=np.float32)
    intercept = factors.root / np.linalg.norm(factors.root)

    def solve(held: Rows) -> None:
        basis, root = factors.basis[held], factors.root[held, None]
        free = np.eye(len(held)) - np.outer(intercept[held], intercept[held])
        for i, penalty in enumerate(penalties):
            shrunk = factors.values / (factors.values + penalty)
            residual = factors.residual[held] - basis @ (shrunk[:, None] * factors.projected)
            left_out = np.linalg.solve(free - (basis * shrunk) @ basis.T, residual)
            out[i, held] = targets[held] - left_out / root

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(solve, folds))
    return out


def leave_one_out(x: Floats, targets: Floats, penalties: Sequence[float]) -> Doubles:
    """Predicted targets ``(p, n, k)`` of every row by the ridge fitted to all other rows, from one factorisation.

    With H = 11ᵀ/n + X(XᵀX + λI)⁻¹Xᵀ and the fitted T̂ = HT, the left-out prediction is exactly

        tᵢ − (tᵢ − t̂ᵢ) / (1 − Hᵢᵢ)

    (Allen's PRESS, *Technometrics* 1974), where the scale of the features is that of all n rows. A row
    that alone determines its own fit (λ = 0, Hᵢᵢ = 1) gives nan.
    """
    n = len(x)
    factors = _factorise(x, targets, np.ones(n))
    out = np.empty((len(penalties), n, targets.shape[1]))
    for i, penalty in enumerate(penalties):
        shrunk = factors.values / (factors.values + penalty)
        residual = factors.residual - factors.basis @ (shrunk[:, None] * factors.projected)
        free = 1 - 1 / n - np.square(factors.basis) @ shrunk
        out[i] = targets - residual / np.where(free > 1e-10, free, np.nan)[:, None]
    return out


def centre_and_scale(x: Floats, weights: Doubles | None = None) -> tuple[Doubles, Doubles]:
    """Weighted mean ``(d,)`` and standard deviation ``(d,)`` of the features, the latter never zero."""
    w = np.ones(len(x)) if weights is None else weights
    blocks = [slice(at, at + ROWS) for at in range(0, len(x), ROWS)]
    mean = sum((w[at] @ x[at] for at in blocks), start=np.zeros(x.shape[1])) / w.sum()
    variance = sum((w[at] @ np.square(x[at] - mean) for at in blocks), start=np.zeros(x.shape[1])) / w.sum()
    return mean, _scale(variance, mean)


def moments(x: Floats, targets: Floats, weights: Doubles, *, shift: Doubles) -> Moments:
    """Weighted sums over the rows, taken about `shift` (near the mean, lest the variances cancel)."""
    d, k = x.shape[1], targets.shape[1]
    sx, st, xx, xt = np.zeros(d), np.zeros(k), np.zeros((d, d)), np.zeros((d, k))
    for at in range(0, len(x), ROWS):
        root = np.sqrt(weights[at : at + ROWS])[:, None]
        rows = (x[at : at + ROWS] - shift) * root
        goals = targets[at : at + ROWS] * root
        sx += (rows * root).sum(axis=0)
        st += (goals * root).sum(axis=0)
        xx += rows.T @ rows
        xt += rows.T @ goals
    return Moments(shift, float(weights.sum()), sx, st, xx, xt)


def solve_moments(sums: Moments, penalties: Sequence[float]) -> Ridge:
    """Ridge for all penalties from sums over rows: those of shards, or of a sample and what it grew by, added up."""
    mean, centre = sums.x / sums.weight, sums.t / sums.weight
    gram = sums.xx - sums.weight * np.outer(mean, mean)
    scale = _scale(np.diag(gram) / sums.weight, mean + sums.shift)
    cross = (sums.xt - sums.weight * np.outer(mean, centre)) / scale[:, None]
    values, basis = np.linalg.eigh(gram / scale / scale[:, None])
    projected = basis.T @ cross
    weight = np.stack([(basis @ (_inverse(values, p)[:, None] * projected)).T for p in penalties]) / scale
    return Ridge(weight, centre - weight @ (mean + sums.shift))


def _dual(x: Floats, targets: Floats, weights: Doubles, penalties: Sequence[float]) -> Ridge:
    root = np.sqrt(weights)[:, None]
    mean, scale = centre_and_scale(x, weights)
    centre = weights @ targets / weights.sum()
    rows = (x - mean) / scale * root
    values, basis = np.linalg.eigh(rows @ rows.T)
    projected = basis.T @ ((targets - centre) * root)
    coefficients = np.concatenate([basis @ (_inverse(values, p)[:, None] * projected) for p in penalties], axis=1)
    weight = (rows.T @ coefficients).T.reshape(len(penalties), targets.shape[1], -1) / scale
    return Ridge(weight, centre - weight @ mean)


def _inverse(values: Doubles, penalty: float) -> Doubles:
    """1 / (s + λ), zero in the directions that the rows do not span."""
    spanned = values > SPANNED * values[-1]
    return np.where(spanned, 1 / np.where(spanned, values + penalty, 1.0), 0.0)


def _scale(variance: Doubles, mean: Doubles) -> Doubles:
    """Standard deviations, floored: what does not vary is divided by something harmless.

    A feature that varies by no more than its own rounding would pass it on to every head as if it told images apart:
    it is divided by so much that nothing is left of it.
    """
    deviation, size = np.sqrt(np.maximum(variance, 0.0)), np.sqrt(np.maximum(variance, 0.0) + mean**2)
    floor = FLOOR * float(size.max())
    return np.where(deviation < STILL * size, size / SPANNED, np.maximum(deviation, floor or 1.0))
