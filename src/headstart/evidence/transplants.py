"""What layers lose and gain when they are carried over: the analysis of Yosinski et al. 2014, paired, with intervals.

A cell is one trained network: its first n layers kept by a treatment, its upper layers trained on the target half.
Every effect is a difference to the base of the *same* target half, seed and labels, or between two treatments of
these; the mean over both directions of a split is one number a seed, and intervals are Student's t over seeds.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.evidence.learning_curves import Forecast
from headstart.evidence.replicates import paired_difference

Doubles = NDArray[np.float64]
BASE = "base"
LEVEL = 0.95
LEAST_SPREAD = 1e-9
"""Of distances that differ by more than how they were rounded."""


@dataclass(frozen=True)
class Transplant:
    """One trained network.

    Attributes
    ----------
    seed, target : of the replicate, and which half it names.
    treatment, n : a row of the treatments, and how many layers were kept.
    value, base : its accuracy, and that of the base of its own target half, shares.
    """

    seed: int
    target: str
    treatment: str
    n: int
    value: float
    base: float


@dataclass(frozen=True)
class Drop:
    """What happens at n, in shares; None where a treatment was not run.

    Attributes
    ----------
    coadaptation : BnB − base: layers that were trained together are split.
    specialisation : AnB − BnB: features of the other task are not those of this one.
    loss : AnB − base: both together.
    recovery : BnB+ − BnB: what fine-tuning brings back.
    retrained : BnB+ − base: what more training alone is worth.
    gain : AnB+ − base: what transfer with fine-tuning is worth.
    beyond : AnB+ − BnB+: the same without what more training alone is worth.
    over_random : AnB − the same with random layers.
    """

    n: int
    coadaptation: Forecast | None
    specialisation: Forecast | None
    loss: Forecast | None
    recovery: Forecast | None
    retrained: Forecast | None
    gain: Forecast | None
    beyond: Forecast | None
    over_random: Forecast | None


PAIRS = {
    "coadaptation": ("BnB", BASE),
    "specialisation": ("AnB", "BnB"),
    "loss": ("AnB", BASE),
    "recovery": ("BnB+", "BnB"),
    "retrained": ("BnB+", BASE),
    "gain": ("AnB+", BASE),
    "beyond": ("AnB+", "BnB+"),
    "over_random": ("AnB", "random"),
}
"""By attribute of `Drop`, which treatment minus which."""


def differences(cells: Sequence[Transplant], one: str, other: str = BASE) -> dict[int, Doubles]:
    """By n, one treatment minus another, a number a seed: the mean over directions that both were run in, ``(s,)``.

    Examples
    --------
    >>> cells = [Transplant(0, "A", "BnB", 1, 0.6, 0.7), Transplant(0, "B", "BnB", 1, 0.7, 0.9)]
    >>> round(float(differences(cells, "BnB")[1][0]), 3)
    -0.15
    """
    found: dict[int, Doubles] = {}
    value = {(cell.treatment, cell.n, cell.seed, cell.target): cell for cell in cells}
    for n in sorted({cell.n for cell in cells}):
        by_seed: dict[int, list[float]] = {}
        for (treatment, at, seed, target), cell in sorted(value.items()):
            if treatment != one or at != n:
                continue
            rival = cell.base if other == BASE else None
            if rival is None and (against := value.get((other, n, seed, target))) is not None:
                rival = against.value
            if rival is not None:
                by_seed.setdefault(seed, []).append(cell.value - rival)
        if by_seed:
            found[n] = np.array([np.mean(both) for both in by_seed.values()])
    return found


def decompose(cells: Sequence[Transplant]) -> tuple[Drop, ...]:
    """Every part of the drop at every n, in order."""
    parts = {name: differences(cells, *pair) for name, pair in PAIRS.items()}
    return tuple(
        Drop(n, **{name: over_seeds(by_n[n]) if n in by_n else None for name, by_n in parts.items()})
        for n in sorted({cell.n for cell in cells})
    )


def average(by_n: Mapping[int, Doubles], *, first: int) -> Forecast | None:
    """Mean over all n from `first` on, as the paper's table has it; None where no seed has all of them."""
    rows = [values for n, values in by_n.items() if n >= first]
    if not rows or len({len(values) for values in rows}) > 1:
        return None
    return over_seeds(np.mean(rows, axis=0))


def minus(one: Mapping[int, Doubles], other: Mapping[int, Doubles]) -> dict[int, Doubles]:
    """By n that both have for as many seeds, one − other of each seed."""
    return {n: one[n] - other[n] for n in one if n in other and len(one[n]) == len(other[n])}


def over_seeds(values: Doubles) -> Forecast:
    """Mean and 95 % interval of one number a seed, ``(s,)``; no interval of one seed."""
    return paired_difference(values, np.zeros(len(values)), independent=len(values), level=LEVEL)


def slope(x: Sequence[float], y: Sequence[float], *, groups: Sequence[Hashable]) -> Forecast | None:
    """Least-squares slope of y on x, with the interval of Student's t; None where x does not vary.

    Points of one group are one point, their mean: with m groups there are m − 2 degrees of freedom, and of two groups
    there is no interval.

    Examples
    --------
    >>> found = slope([1, 2, 2, 3], [0.1, 0.15, 0.25, 0.3], groups="abbc")
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.1, 0.1, 0.1)
    """
    by_group: dict[Hashable, list[tuple[float, float]]] = {}
    for group, across, down in zip(groups, x, y, strict=True):
        by_group.setdefault(group, []).append((across, down))
    means = np.array([np.mean(points, axis=0) for points in by_group.values()])
    centred, lifted = (means - means.mean(axis=0)).T
    if np.ptp(centred) <= LEAST_SPREAD:
        return None
    value, free = float(centred @ lifted / (centred @ centred)), len(means) - 2
    if free < 1:
        return Forecast(value, None, None)
    rest = lifted - value * centred
    error = np.sqrt(rest @ rest / free / (centred @ centred))
    half = float(stats.t.ppf((1 + LEVEL) / 2, free) * error)
    return Forecast(value, value - half, value + half)


def late_gain(values: Sequence[float]) -> float:
    """What a curve, one value an epoch from 0 on, gained over the last quarter of its epochs.

    Examples
    --------
    >>> round(late_gain([0.1, 0.5, 0.7, 0.8, 0.84]), 2)
    0.04
    """
    return float(values[-1] - values[-1 - max(1, len(values) // 4)])


def rise(by_n: Mapping[int, Doubles]) -> Doubles:
    """Least-squares slope over n of each seed's differences, a layer: ``(s,)``.

    Raises
    ------
    ValueError : fewer than two n, or seeds that lack some.
    """
    n, values = np.array(sorted(by_n), dtype=np.float64), np.array([by_n[n] for n in sorted(by_n)])
    if len(n) < 2:
        raise ValueError("a slope needs two cuts")
    centred = n - n.mean()
    slope: Doubles = centred @ values / (centred @ centred)
    return slope
