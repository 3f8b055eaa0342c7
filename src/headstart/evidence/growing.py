"""A ridge whose training sample grows: accuracy at several numbers of labels, each paying for its new images.

Sums over rows add over disjoint sets of rows (`headstart.evidence.ridge.Moments`), so that a larger nested
sample costs the sums over what it grew by and factorisations of (d, d). While a fold has fewer than d rows, one
factorisation of the sample is cheaper still. The penalty is chosen inside each sample, out of fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from headstart.evidence import ridge
from headstart.evidence.metrics import METRICS, Classes, Floats
from headstart.evidence.ridge import Moments, Ridge, Rows

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draw:
    """One replicate: rows in the order in which they join the sample, and those that it is judged on.

    Attributes
    ----------
    order : rows ``(m,)``; the sample of size n is the first n of them.
    fold : of each row of `order`, the fold that its penalty is chosen in, ``(m,)``; groups stay whole.
    held : rows that are judged, none of them in `order`.
    """

    order: Rows
    fold: Rows
    held: Rows


def nested_order(y: Classes, groups: NDArray[np.integer], *, seed: int) -> Rows:
    """Every row once, so that each prefix holds about the same share of every class; groups stand together.

    The i-th of the m groups of a class stands at (i + u) / m, u uniform in [0, 1), and groups are ordered by where
    they stand. A group belongs to the class of its first row.

    Examples
    --------
    >>> y = np.array([0] * 4 + [1] * 4)
    >>> sorted(y[nested_order(y, np.arange(8), seed=0)[:4]].tolist())
    [0, 0, 1, 1]
    """
    rng = np.random.default_rng(seed)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    of_class, stands = y[first], np.empty(len(first))
    for k in np.unique(of_class):
        own = rng.permutation(np.flatnonzero(of_class == k))
        stands[own] = (np.arange(len(own)) + rng.random(len(own))) / len(own)
    return np.argsort(stands[member], kind="stable")


def accuracies(
    x: Floats, y: Classes, draw: Draw, *, sizes: Sequence[int], penalties: Sequence[float], metric: str = "accuracy"
) -> Doubles:
    """The metric on the held rows by a ridge on one-hot labels fitted to the first n rows, for every n of `sizes`.

    Parameters
    ----------
    x, y : features ``(n, d)`` and classes ``(n,)`` of all rows.
    draw : which of them join when, and which are judged.
    sizes : ascending, the first at least 2 and the last at most the rows of ``draw.order``.
    penalties : λ > 0, as in `headstart.evidence.ridge`; of equals the largest is taken.
    metric : a name in `headstart.evidence.METRICS`.

    Returns
    -------
    ``(s,)``.
    """
    targets = np.eye(int(y.max()) + 1)[y]
    parts: dict[int, Moments] = {}
    shift, summed = x[draw.order].mean(axis=0, dtype=np.float64), 0
    found = []
    for n in sizes:
        rows, fold = draw.order[:n], draw.fold[:n]
        if x.shape[1] > np.bincount(fold).max() or len(np.unique(fold)) < 2:
            fitted = _from_rows(x[rows], targets[rows], fold, penalties)
        else:
            _grow(parts, x, targets, rows[summed:], fold[summed:], shift)
            summed = n
            fitted = _from_sums(parts, x[rows], targets[rows], fold, penalties)
        predicted = fitted.predict(x[draw.held])[0].argmax(axis=1)
        found.append(float(METRICS[metric](y[draw.held], predicted)))
    return np.array(found)


def _from_rows(x: Floats, targets: Floats, fold: Rows, penalties: Sequence[float]) -> Ridge:
    """One factorisation: groups are left out together where there are two folds or more, else row by row."""
    if len(np.unique(fold)) < 2:
        fold = np.arange(len(x))
    left_out = ridge.out_of_fold(x, targets, fold, penalties)
    return ridge.fit(x, targets, [_best(left_out, targets, penalties)])


def _grow(parts: dict[int, Moments], x: Floats, targets: Floats, rows: Rows, fold: Rows, shift: Doubles) -> None:
    for name in np.unique(fold).tolist():
        own = rows[fold == name]
        more = ridge.moments(x[own], targets[own], np.ones(len(own)), shift=shift)
        parts[name] = parts[name].plus(more) if name in parts else more


def _from_sums(parts: dict[int, Moments], x: Floats, targets: Floats, fold: Rows, penalties: Sequence[float]) -> Ridge:
    total = reduce(Moments.plus, parts.values())
    left_out = np.empty((len(penalties), *targets.shape), dtype=np.float32)
    for name, part in parts.items():
        own = fold == name
        left_out[:, own] = ridge.solve_moments(total.plus(part, sign=-1), penalties).predict(x[own])
    return ridge.solve_moments(total, [_best(left_out, targets, penalties)])


def _best(left_out: Floats, targets: Floats, penalties: Sequence[float]) -> float:
    """The penalty of the most rows predicted right when they were left out; of equals the largest."""
    right = (left_out.argmax(axis=2) == targets.argmax(axis=1)).mean(axis=1)
    return max(zip(right.tolist(), penalties, strict=True))[1]
