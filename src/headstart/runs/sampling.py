"""Samples that grow, each judged on a fold of its own: what every learning curve is measured on."""

from __future__ import annotations

import numpy as np

from headstart.data import folds
from headstart.evidence.growing import Draw, nested_order
from headstart.runs.probing import FOLDS

SIZES = 6
SPAN = 16
"""The largest size over the smallest, where every class has two labels in that."""


def nested_draws(
    y: np.ndarray, groups: np.ndarray, *, replicates: int, seed: int
) -> tuple[tuple[int, ...], list[Draw]]:
    """Sizes, ascending, and a draw for each replicate.

    Each replicate is judged on one fold, and grows nested samples in the others; when every fold was judged, new
    folds are drawn. Groups are on one side, and in one of the folds that the penalty is chosen in.

    Parameters
    ----------
    y, groups : classes and groups of n images, ``(n,)``; draws are numbers of these rows.
    """
    count = min(FOLDS, len(np.unique(groups)))
    rounds = [folds(y, groups, count, seed=seed + i) for i in range(-(-replicates // count))]
    sides = [side for parts in rounds for side in parts][:replicates]
    draws = [_draw(y, groups, fit, held, seed=seed + i) for i, (fit, held) in enumerate(sides)]
    return _sizes(min(len(draw.order) for draw in draws), classes=len(np.unique(y))), draws


def _draw(y: np.ndarray, groups: np.ndarray, fit: np.ndarray, held: np.ndarray, *, seed: int) -> Draw:
    inner = np.zeros(len(fit), dtype=np.intp)
    for number, (_, own) in enumerate(_inner(y[fit], groups[fit], seed=seed)):
        inner[own] = number
    order = nested_order(y[fit], groups[fit], seed=seed)
    return Draw(fit[order], inner[order], held)


def _inner(y: np.ndarray, groups: np.ndarray, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    count = min(FOLDS, len(np.unique(groups)))
    return folds(y, groups, count, seed=seed) if count > 1 else []


def _sizes(largest: int, *, classes: int) -> tuple[int, ...]:
    smallest = max(2, min(largest // 2, max(largest // SPAN, 2 * classes)))
    return tuple(np.unique(np.geomspace(smallest, largest, SIZES).round().astype(int)).tolist())
