"""Means over replicates, and differences of two methods that were judged on the same replicates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.evidence.learning_curves import Forecast

Doubles = NDArray[np.float64]


def means(values: Doubles, *, independent: int, level: float = 0.8) -> tuple[Forecast, ...]:
    """Mean over replicates at every size, m ± t s / √w, with Student's t of w − 1 degrees of freedom.

    s is the standard deviation over the r replicates, and w = min(r, `independent`).

    Parameters
    ----------
    values : shares, ``(r, s)``, one row a replicate.
    independent : how many replicates are worth at most, where they share images.
    level : probability of the interval; it is cut at 0 and 1.

    Examples
    --------
    >>> [found] = means(np.array([[0.6], [0.7], [0.8]]), independent=3)
    >>> [round(each, 3) for each in (found.low, found.value, found.high)]
    [0.591, 0.7, 0.809]
    """
    return tuple(
        Forecast(m, max(0.0, m - half), min(1.0, m + half)) if half is not None else Forecast(m, None, None)
        for m, half in zip(*_spread(values, independent, level), strict=True)
    )


def paired_difference(one: Doubles, other: Doubles, *, independent: int, level: float = 0.8) -> Forecast:
    """Mean of one − other over replicates, both ``(r,)``, with the interval of `means` of the differences.

    What a replicate's images, or its draw, do to both alike is in neither the difference nor its interval.

    Examples
    --------
    >>> found = paired_difference(np.array([0.6, 0.9]), np.array([0.5, 0.8]), independent=5)
    >>> round(found.low, 3), round(found.high, 3)
    (0.1, 0.1)
    """
    [value], [half] = _spread((one - other)[:, None], independent, level)
    return Forecast(value, None, None) if half is None else Forecast(value, value - half, value + half)


def training_draw(judged: int, fitted: int, *, splits: int = 1) -> float:
    """By how much an error widens because the training images are one draw, too: √(1 + J n₂/n₁).

    Images that are drawn again are judged by the same networks: what the next user's networks, trained on images of
    their own, would do otherwise is not among the replicates. Source: Nadeau & Bengio, *Machine Learning* 52, 2003,
    whose correlation n₂/(n₁ + n₂) between splits is a guess on the safe side.

    Parameters
    ----------
    judged, fitted : n₂ images that are judged by a network, and n₁ that it was trained on.
    splits : J, how many such splits are judged together; folds of a cross-validation are as many.

    Examples
    --------
    >>> training_draw(20, 80, splits=5), round(training_draw(200, 600), 3)
    (1.5, 1.155)
    """
    return math.sqrt(1 + splits * judged / fitted)


def _spread(values: Doubles, independent: int, level: float) -> tuple[list[float], list[float | None]]:
    """Means, and half widths of their intervals: None with one replicate."""
    mean, worth = values.mean(axis=0), min(len(values), independent)
    if worth < 2:
        return mean.tolist(), [None] * len(mean)
    half = stats.t.ppf((1 + level) / 2, worth - 1) * values.std(axis=0, ddof=1) / np.sqrt(worth)
    return mean.tolist(), half.tolist()
