"""Intervals by the cluster bootstrap: near duplicates are drawn together, never one by one.

One resample draws as many groups as there are, with replacement; an image counts as often as its
group was drawn. The spread of a value over resamples is its standard error; the intervals below are
built from it in forms that stay honest at the edges, where the plain percentile interval would say
that a perfect score on 20 images is certain to be perfect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.errors import DataError, InternalError, OptionError
from headstart.evidence.metrics import METRICS, Classes, Metric

BLOCK = 4_000_000
"""Weights held at a time (32 MB): resamples are drawn and scored in blocks of about this size."""


@dataclass(frozen=True)
class Interval:
    """A value, its two-sided interval (None with fewer than two groups), and the number of images."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """A difference of two values on the same images, with its interval (None with fewer than two groups)."""

    value: float
    low: float | None
    high: float | None


def interval(
    y: Classes,
    predicted: Classes,
    groups: NDArray[Any],
    *,
    metric: str = "accuracy",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """A metric with its interval: Wilson's, at the effective number of images.

    The bootstrap gives the standard error s; n* = v(1 − v)/s² is the number of independent images that
    would have it (at most n; the number of groups G where v is 0 or 1). With q the quantile of
    Student's t at G − 1 degrees of freedom,

        (v + q²/2n* ± q √(v(1 − v)/n* + q²/4n*²)) / (1 + q²/n*).

    Wilson, JASA 1927, at the effective size of Korn & Graubard, *Survey Methodology* 1998; made for
    accuracy, and an approximation for the class-wise metrics.

    Parameters
    ----------
    y, predicted : classes, ``(n,)``.
    groups : label of each image's group, ``(n,)``; images of one group are drawn together.
    metric : a name in `METRICS`.

    Raises
    ------
    OptionError : the metric is unknown.
    DataError : there is no image.

    Examples
    --------
    >>> right = np.zeros(20, dtype=int)
    >>> found = interval(right, right, np.arange(20))
    >>> found.value, round(found.low, 2), found.high
    (1.0, 0.82, 1.0)
    """
    values, inside, count = replicated(y, [predicted], groups, metric, resamples, seed)
    return wilson(float(values[0]), inside[0], count, len(y), level)


def paired(
    y: Classes,
    a: Classes,
    b: Classes,
    groups: NDArray[Any],
    *,
    metric: str = "accuracy",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Metric of `a` minus metric of `b`, both on the same resamples: d ± q √(s² + 2/G²).

    The term 2/G² stands for one more group decided each way, so that two predictions which never
    disagreed on G groups are not said to be equal for certain (Bonett & Price, JEBS 2012). q is
    Student's at G − 1 degrees of freedom. Other parameters as in `interval`.

    Examples
    --------
    >>> y = np.zeros(100, dtype=int)
    >>> found = paired(y, y, y, np.arange(100))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.0, -0.028, 0.028)
    """
    values, inside, count = replicated(y, [a, b], groups, metric, resamples, seed)
    value = float(values[0] - values[1])
    return difference_of(value, inside[0] - inside[1], count, level=level)


def difference_of(value: float, spread: NDArray[np.float64], count: int, *, level: float) -> Difference:
    """A difference with the interval of `paired`, from its values on every resample ``(b,)`` of `count` groups."""
    if count < 2:
        return Difference(value, None, None)
    return _difference(value, _quantile(level, count) * float(_paired_error(spread, count)))


def simultaneous(
    y: Classes,
    predictions: Mapping[str, Classes],
    pairs: Sequence[tuple[str, str]],
    groups: NDArray[Any],
    *,
    metric: str = "accuracy",
    level: float = 0.95,
    wider: float = 1.0,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[tuple[str, str], Difference]:
    """First minus second of every pair of predictions, with intervals that all hold at once.

    The intervals are `paired`'s with a wider q: the `level` quantile over resamples of the largest
    |d_jb − d_j| / s_j over the pairs j, never below that of one comparison (Romano & Wolf,
    *Econometrica* 2005). The second of a pair is *not shown worse* than the first by more than a margin when
    the low end of their difference does not exceed the margin. Other parameters as in `interval`.

    Parameters
    ----------
    wider : factor of the errors, of `training_draw` where ways to train are compared and not only their networks.

    Raises
    ------
    InternalError : a pair names what is not among the predictions.

    Examples
    --------
    >>> y = np.zeros(100, dtype=int)
    >>> simultaneous(y, {"a": y, "b": 1 - y}, [("a", "b")], np.arange(100))[("a", "b")].value
    1.0
    """
    if unknown := {name for pair in pairs for name in pair} - predictions.keys():
        raise InternalError(f"{sorted(unknown)} are not among the predictions {list(predictions)}")
    if not pairs:
        return {}
    names = list(predictions)
    first, second = ([names.index(pair[side]) for pair in pairs] for side in (0, 1))
    values, inside, count = replicated(y, list(predictions.values()), groups, metric, resamples, seed)
    differences = values[first] - values[second]
    if count < 2:
        return {pair: Difference(float(d), None, None) for pair, d in zip(pairs, differences, strict=True)}
    spread = inside[first] - inside[second]
    deviations = np.abs(spread - spread.mean(axis=1, keepdims=True))
    sd = spread.std(axis=1, keepdims=True)
    largest = np.divide(deviations, sd, out=np.zeros_like(deviations), where=sd > 1e-12).max(axis=0)
    normal = float(stats.norm.ppf((1 + level) / 2))
    widening = max(1.0, float(np.quantile(largest, level)) / normal)
    halves = wider * widening * _quantile(level, count) * _paired_error(spread, count)
    return {pair: _difference(float(d), float(h)) for pair, d, h in zip(pairs, differences, halves, strict=True)}


def replicated(
    y: Classes, predictions: Sequence[Classes], groups: NDArray[Any], metric: str, resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Values of m predictions ``(m,)``, their values on every resample ``(m, b)``, and the number of groups."""
    if metric not in METRICS:
        raise OptionError(f"there is no metric {metric!r}", f"Choose one of {', '.join(METRICS)}.")
    if len(y) == 0 or not predictions:
        raise DataError("there is no prediction to measure")
    if any(len(each) != len(y) for each in [*predictions, groups]):
        raise InternalError(f"{len(y)} labels with {[len(p) for p in predictions]} predictions, {len(groups)} groups")
    values = np.array([float(METRICS[metric](y, each)) for each in predictions])
    count = len(np.unique(groups))
    if count < 2:
        return values, np.empty((len(predictions), 0)), count
    return values, scored(y, predictions, groups, METRICS[metric], resamples, seed), count


def scored(
    y: Classes,
    predictions: Sequence[Classes],
    groups: NDArray[Any],
    metric: Metric,
    resamples: int,
    seed: int,
    *,
    drawn: bool = True,
) -> NDArray[np.float64]:
    """Values ``(m, b)`` on the drawn images of every resample, or on those left out (nan where none is)."""
    blocks = []
    for times in cluster_weights(groups, resamples, seed):
        weights = times if drawn else (times == 0).astype(np.float64)
        blocks.append(np.stack([metric(y, each, weights=weights) for each in predictions]))
    return np.concatenate(blocks, axis=1)


def cluster_weights(groups: NDArray[Any], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Blocks ``(b, n)``: how often each image was drawn in each of b resamples."""
    names, member = np.unique(groups, return_inverse=True)
    count, rng = len(names), np.random.default_rng(seed)
    block = max(1, BLOCK // len(member))
    for start in range(0, resamples, block):
        b = min(block, resamples - start)
        draws = rng.integers(count, size=(b, count)) + count * np.arange(b)[:, None]
        times = np.bincount(draws.ravel(), minlength=b * count).reshape(b, count)
        yield times.astype(np.float64)[:, member]


def _quantile(level: float, count: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, count - 1))


def wilson(value: float, inside: NDArray[np.float64], count: int, n: int, level: float) -> Interval:
    """`interval`'s form about a value, with the spread of its replicates ``(b,)`` over `count` groups of n images."""
    if count < 2:
        return Interval(value, None, None, n)
    variance = float(inside.var()) * count / (count - 1)
    spread = value * (1 - value)
    size = float(count) if spread <= 0 else n if variance * n <= spread else spread / variance
    q = _quantile(level, count)
    centre = (value + q * q / (2 * size)) / (1 + q * q / size)
    half = q * np.sqrt(spread / size + (q / (2 * size)) ** 2) / (1 + q * q / size)
    return Interval(value, max(0.0, min(value, float(centre - half))), min(1.0, max(value, float(centre + half))), n)


def _paired_error(spread: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Standard error of differences from their replicates ``(…, b)``, two pseudo-groups added."""
    variance = spread.var(axis=-1) * count / (count - 1)
    return np.asarray(np.sqrt(variance + 2 / count**2))


def _difference(value: float, half: float) -> Difference:
    return Difference(value, max(-1.0, value - half), min(1.0, value + half))
