"""How accuracy grows with the number of labels, and what more of them would bring, with its interval.

Errors of n labels are described by a power law that levels off, with ε = 1 − accuracy (or another share),

    ε(n) = c + a n^−b,   c ≥ 0,  a ≥ 0,  b in `RATES`,

and by the same without a level, c = 0. Which of the two goes on beyond what was measured cannot be told from
a few sizes, so both stand in the interval, each as likely as it fits. Hestness et al., *Deep Learning Scaling is
Predictable, Empirically*, 2017; Viering & Loog, *The Shape of Learning Curves: a Review*, TPAMI 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError

Doubles = NDArray[np.float64]

RATES = np.geomspace(0.05, 2.0, 40)
"""Exponents b that are tried: learning curves of real tasks have 0.07 to about 1 (Hestness et al.)."""
DRAWS = 1000
LEAST_SPREAD = 1e-3
"""Standard error below which a size is not trusted: replicates that agree by chance would outweigh all others."""
REACH = 10
"""Times the largest size that a crossing is looked for up to."""


@dataclass(frozen=True)
class Forecast:
    """A value with its two-sided interval, None where one replicate tells nothing of its spread."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Laws:
    """Power laws ε(n) = level + scale n^−rate, each attribute ``(m,)``."""

    level: Doubles
    scale: Doubles
    rate: Doubles

    def errors(self, n: float | Doubles) -> Doubles:
        """ε of every law, ``(m,)``; of several n ``(s,)``, ``(m, s)``."""
        level, scale, rate = (each[(..., *[None] * np.ndim(n))] for each in (self.level, self.scale, self.rate))
        return np.asarray(level + scale * np.power(n, -rate))


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted learning curve.

    Attributes
    ----------
    sizes, values : what was measured: numbers of labels ``(s,)`` and the mean over replicates ``(s,)``.
    forms, shares : the law of each form fitted to the means, and how likely each is.
    draws : laws of resampled replicates, the form drawn too; None with one replicate.
    deviations : what the measured means stray from the law, one for each draw, in shares.
    """

    sizes: Doubles
    values: Doubles
    forms: Laws
    shares: Doubles
    draws: Laws | None
    deviations: Doubles

    def at(self, n: float | Doubles) -> Doubles:
        """Accuracy with n labels, the forms weighted by their shares; for several n ``(s,)``."""
        return np.asarray(1 - self.shares @ self.forms.errors(n))


def fit_curve(sizes: Sequence[int], values: Doubles, *, independent: int | None = None, seed: int = 0) -> Curve:
    """Fit both forms to accuracies at several sizes by weighted least squares.

    Σ_s (ε_s − ε(n_s))² / v_s is minimised, v_s the variance of the mean over replicates; for each b of `RATES`
    the minimum over c and a is in closed form. A form counts by exp(−½ of that minimum). One draw resamples
    whole replicates and takes one form. Two sizes cannot show a level: the law without one is taken alone.

    Parameters
    ----------
    sizes : numbers of labels, at least two, ascending.
    values : accuracies, ``(r, s)``, or another share: one row a replicate, whose sizes may be nested draws.
    independent : how many replicates are worth, where they share images; r by default.
    seed : of the resampling.

    Raises
    ------
    DataError : fewer than two sizes, or values of another shape.

    Examples
    --------
    >>> n = np.array([50, 100, 200, 400])
    >>> curve = fit_curve(n, 1 - 2 * n[None] ** -0.5)
    >>> round(float(curve.at(900)), 2), forecast(curve, 900).low is None
    (0.93, True)
    """
    n, errors = np.asarray(sizes, dtype=np.float64), 1 - np.asarray(values, dtype=np.float64)
    if len(n) < 2 or errors.ndim != 2 or errors.shape[1:] != n.shape or (np.diff(n) <= 0).any():
        raise DataError(f"a curve needs two ascending sizes or more, with their values, not {sizes}")
    replicates, worth = len(errors), min(independent or len(errors), len(errors))
    variance = np.full(n.shape, 1.0)
    if replicates > 1:
        variance = np.maximum(errors.var(axis=0, ddof=1) / worth, LEAST_SPREAD**2)
    mean, levels = errors.mean(axis=0), (False, True) if len(n) > 2 else (False,)
    fitted = [_least_squares(n, mean[None], 1 / variance, level=level) for level in levels]
    forms = Laws(*(np.concatenate(each) for each in zip(*((f.level, f.scale, f.rate) for f in fitted), strict=True)))
    misfit = (np.square(forms.errors(n) - mean) / variance).sum(axis=1)
    shares = np.exp(-(misfit - misfit.min()) / 2)
    shares /= shares.sum()
    if replicates < 2:
        return Curve(n, 1 - mean, forms, shares, None, np.zeros(0))
    rng = np.random.default_rng(seed)
    drawn = errors[rng.integers(replicates, size=(DRAWS, worth))].mean(axis=1)
    # The mean of `worth` draws strays less than it should: r/(r − 1) of the variance is missing.
    drawn = mean + (drawn - mean) * np.sqrt(replicates / (replicates - 1))
    laws = [_least_squares(n, drawn, 1 / variance, level=level) for level in levels]
    form = rng.choice(len(levels), size=DRAWS, p=shares)
    picked = [np.choose(form, [getattr(law, name) for law in laws]) for name in ("level", "scale", "rate")]
    scale = _residual_scale(shares @ forms.errors(n) - mean, np.sqrt(variance * worth), parameters=3)
    return Curve(n, 1 - mean, forms, shares, Laws(*picked), scale * rng.standard_normal(DRAWS))


def forecast(curve: Curve, n: float, *, level: float = 0.8) -> Forecast:
    """Accuracy with n labels, and the interval that holds it with probability `level`.

    Examples
    --------
    >>> n, rng = np.array([50, 100, 200, 400]), np.random.default_rng(0)
    >>> curve = fit_curve(n, 1 - 2 * n ** -0.5 + rng.normal(scale=0.01, size=(10, 4)))
    >>> found = forecast(curve, 800)
    >>> found.low < 1 - 2 * 800 ** -0.5 < found.high
    True
    """
    value = float(np.clip(curve.at(n), 0, 1))
    if curve.draws is None:
        return Forecast(value, None, None)
    return _between(value, np.clip(1 - curve.draws.errors(n) + curve.deviations, 0, 1), level)


def gain(curve: Curve, n: float, more: float, *, level: float = 0.8) -> Forecast:
    """What `more` labels (fewer, where negative) beyond n would bring, in shares; both ends from the same draws.

    A curve strays from its law alike at neighbouring sizes: a doubling carries the whole deviation, a step of
    less than that the part log₂ of the ratio of sizes.

    Examples
    --------
    >>> n = np.array([50, 100, 200, 400])
    >>> round(gain(fit_curve(n, 1 - 2 * n[None] ** -0.5), 400, 500).value, 2)
    0.03
    """
    value = float(curve.at(n + more) - curve.at(n))
    if curve.draws is None:
        return Forecast(value, None, None)
    part = min(1.0, abs(float(np.log2((n + more) / n))))
    return _between(value, curve.draws.errors(n) - curve.draws.errors(n + more) + part * curve.deviations, level)


def crossing(one: Curve, other: Curve, *, level: float = 0.8) -> Forecast | None:
    """The number of labels from which the curve that is behind at first is ahead; None where it never is.

    Looked for from the smallest size that was measured to `REACH` times the largest. There is an interval
    where the curves cross in at least the share `level` of the draws.

    Examples
    --------
    >>> n = np.array([50, 100, 200, 400])
    >>> slow, fast = (fit_curve(n, 1 - a * n[None] ** -b) for a, b in ((1.0, 0.25), (4.0, 0.5)))
    >>> round(crossing(slow, fast).value / 256, 1)
    1.0
    """
    n = np.geomspace(max(one.sizes[0], other.sizes[0]), REACH * max(one.sizes[-1], other.sizes[-1]), 400)
    found = _first_change((one.at(n) - other.at(n))[None], n)
    if np.isnan(found[0]):
        return None
    if one.draws is None or other.draws is None:
        return Forecast(float(found[0]), None, None)
    drawn = _first_change(other.draws.errors(n) - one.draws.errors(n), n)
    if np.isfinite(drawn).mean() < level:
        return Forecast(float(found[0]), None, None)
    return _between(float(found[0]), drawn[np.isfinite(drawn)], level)


def _least_squares(n: Doubles, errors: Doubles, weights: Doubles, *, level: bool) -> Laws:
    """The best law of one form for every row of `errors` ``(m, s)``: over c and a in closed form, over b by trying."""
    w, x = weights / weights.sum(), np.power(n, -RATES[:, None])
    second = np.square(x) @ w
    scale = (errors * w) @ x.T / second
    c = np.zeros_like(scale)
    if level:
        centre, mean = x @ w, errors @ w
        slope = ((errors * w) @ x.T - mean[:, None] * centre) / (second - centre**2)
        free = mean[:, None] - slope * centre
        flat = slope <= 0
        c = np.where(flat, mean[:, None], np.maximum(free, 0))
        scale = np.where(flat, 0.0, np.where(free > 0, slope, scale))
    misfit = np.square(errors[:, None] - c[..., None] - scale[..., None] * x) @ w
    best, rows = misfit.argmin(axis=1), np.arange(len(errors))
    return Laws(c[rows, best], scale[rows, best], RATES[best])


def _residual_scale(residual: Doubles, spread: Doubles, *, parameters: int) -> float:
    """Standard deviation about the law; where no size is left to see it by, that of one replicate at the last size."""
    free = len(residual) - parameters
    return float(np.sqrt(np.square(residual).sum() / free)) if free > 0 else float(spread[-1])


def _between(value: float, draws: Doubles, level: float) -> Forecast:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Forecast(value, min(value, float(low)), max(value, float(high)))


def _first_change(difference: Doubles, n: Doubles) -> Doubles:
    """Where each row ``(m, s)`` first has another sign than at its beginning, nan where it never has."""
    changed = np.sign(difference) == -np.sign(difference[:, :1])
    changed &= difference[:, :1] != 0
    return np.where(changed.any(axis=1), n[changed.argmax(axis=1)], np.nan)
