"""The target's class prior from a source classifier's answers, without one target label.

Both estimates hold where only the prior has changed and P(X|Y) has not (target shift, label shift). Where it has,
they are wrong without showing it: see what re-weighting leaves of the difference before believing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import nnls

from headstart.evidence.bootstrap import cluster_weights
from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.two_sample import Told, p_value

Doubles = NDArray[np.float64]

ROUNDS, TOLERANCE = 500, 1e-6

RESAMPLES = 500
"""Of the groups, for the intervals of shares that are counted."""


def bbse(y: Classes, source: Floats, target: Floats, *, weights: Floats | None = None) -> Doubles:
    """The target's prior q ``(k,)`` by black-box shift estimation.

    With the source's joint confusion C, C_ij = P_S(ŷ = i, y = j), and the target's answers μ_i = P_T(ŷ = i), the
    ratios w_j = q_j / p_j solve C w = μ. Answers are probabilities, each image counting for every class by its share;
    solved by non-negative least squares, then scaled such that q adds up to 1.
    Lipton, Wang & Smola, *Detecting and Correcting for Label Shift with Black Box Predictors*, ICML 2018.

    Parameters
    ----------
    y, source : classes of the source's images ``(n,)`` and out-of-fold probabilities, ``(n, k)``.
    target : probabilities on the target, ``(m, k)``.
    weights : how often each row counts, source then target, ``(n + m,)``.

    Examples
    --------
    >>> y = np.repeat([0, 1], 10)
    >>> bbse(y, np.eye(2)[y], np.eye(2)[[0, 0, 0, 1]]).tolist()
    [0.75, 0.25]
    """
    n, k = source.shape
    counts = np.ones(n + len(target)) if weights is None else weights
    joint = (source * counts[:n, None]).T @ np.eye(k)[y] / counts[:n].sum()
    ratios, _ = nnls(joint, counts[n:] @ target / counts[n:].sum())
    own: Doubles = np.bincount(y, weights=counts[:n], minlength=k) / counts[:n].sum()
    prior: Doubles = ratios * own
    if prior.sum() > 0:
        prior /= prior.sum()
        return prior
    return own


def em(probabilities: Floats, prior: Floats, *, weights: Floats | None = None) -> Doubles:
    """The target's prior q ``(k,)`` that makes its probabilities most likely, by expectation-maximisation.

    With p the prior that the classifier was fitted under and p(j|x) what it says, repeat until q stands still:

        r_ij = (q_j / p_j) p(j|xᵢ) / Σ_l (q_l / p_l) p(l|xᵢ),    q_j = mean_i r_ij.

    Saerens, Latinne & Decaestecker, *Adjusting the Outputs of a Classifier to New a Priori Probabilities*, Neural
    Computation 2002. It relies on calibrated probabilities.

    Parameters
    ----------
    probabilities : on the target, ``(m, k)``.
    prior : p ``(k,)``, positive where a probability is.
    weights : how often each row counts, ``(m,)``.

    Examples
    --------
    >>> sure = np.eye(2)[[0, 0, 0, 1]]
    >>> em(sure, np.array([0.5, 0.5])).tolist()
    [0.75, 0.25]
    """
    counts = np.ones(len(probabilities)) if weights is None else weights
    likely = np.asarray(probabilities, dtype=np.float64) / np.maximum(prior, 1e-12)
    q: Doubles = np.asarray(prior, dtype=np.float64)
    for _ in range(ROUNDS):
        shares = likely * q
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        new: Doubles = counts @ shares / counts.sum()
        if np.abs(new - q).max() < TOLERANCE:
            return new
        q = new
    return q


def evenness(prior: Floats) -> float:
    """The effective number of classes by the number of classes, exp(−Σⱼ qⱼ log qⱼ) / k: one where all are as frequent.

    Examples
    --------
    >>> evenness(np.array([0.5, 0.5, 0.0, 0.0]))
    0.5
    """
    q = np.asarray(prior, dtype=np.float64)
    return float(np.exp(stats.entropy(q)) / len(q))


@dataclass(frozen=True)
class Estimated:
    """A target's prior: of every class with its interval, and how far it is from the source's.

    Attributes
    ----------
    method : ``"bbse"`` or ``"em"``.
    prior, low, high : by class.
    distance, distance_low, distance_high : half of the total variation distance to the source's prior, which is
        what the class alone gives away of the domain, above chance.
    """

    method: str
    prior: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    distance: float
    distance_low: float
    distance_high: float


def estimated_priors(
    y: Classes,
    source: Floats,
    target: Floats,
    *,
    groups: NDArray[Any],
    level: float = 0.95,
    resamples: int = 100,
    seed: int = 0,
) -> tuple[Estimated, Estimated]:
    """Both estimates, with intervals by drawing groups of source and target images again.

    Parameters
    ----------
    y, source : the source's classes ``(n,)`` and out-of-fold probabilities, ``(n, k)``.
    target : probabilities of the source's classifier on the target, ``(m, k)``.
    groups : of source and target images, ``(n + m,)``.
    """
    n, k = source.shape

    def both(weights: Floats) -> tuple[Doubles, Doubles, Doubles]:
        p = np.bincount(y, weights=weights[:n], minlength=k) / weights[:n].sum()
        return bbse(y, source, target, weights=weights), em(target, p, weights=weights[n:]), p

    whole = both(np.ones(n + len(target)))
    drawn = [both(w) for block in cluster_weights(groups, resamples, seed) for w in block]
    replicates = [np.stack(each) for each in zip(*drawn, strict=True)]
    return (
        _estimated("bbse", whole[0] - whole[2], whole[0], replicates[0], replicates[2], level=level),
        _estimated("em", whole[1] - whole[2], whole[1], replicates[1], replicates[2], level=level),
    )


def _estimated(
    method: str, difference: Doubles, prior: Doubles, drawn: Doubles, source: Doubles, *, level: float
) -> Estimated:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    value, half = distance(difference, drawn - source, level=level)
    return Estimated(
        method,
        tuple(prior.tolist()),
        tuple(np.minimum(low, prior).tolist()),
        tuple(np.maximum(high, prior).tolist()),
        value,
        value - half,
        value + half,
    )


def distance(difference: Doubles, drawn: Doubles, *, level: float) -> tuple[float, float]:
    """Half of the total variation ½ Σ|dⱼ|, without the share that is sampling noise, and half of its interval.

    A sum of absolute values is never negative, so noise alone would pass for a distance. Here the signs come from
    one resample and the differences from the whole: ¼ mean_b Σ sign(d_bj) dⱼ.

    Parameters
    ----------
    difference : of the two priors, ``(k,)``.
    drawn : the same on every resample, ``(b, k)``.
    """
    value = float((np.sign(drawn) @ difference).mean() / 4)
    spread = float((drawn @ np.sign(difference)).std() / 4)
    return value, float(stats.norm.ppf((1 + level) / 2)) * spread


def class_shares(
    y: Classes, domain: Classes, k: int, *, groups: NDArray[Any], level: float = 0.95, seed: int = 0
) -> tuple[Doubles, Doubles, Doubles]:
    """Shares of the classes in source and target ``(2, k)``, and the ends of their difference's interval, ``(k,)``.

    d ± q s with d the target's share minus the source's and s its spread over resamples of groups.

    Parameters
    ----------
    y, domain : classes, and 0 source or 1 target, ``(n,)``.
    """
    shares, drawn = _shares(y, domain, k, groups=groups, seed=seed)
    half = float(stats.norm.ppf((1 + level) / 2)) * drawn.std(axis=0)
    difference = shares[1] - shares[0]
    return shares, difference - half, difference + half


def _shares(y: Classes, domain: Classes, k: int, *, groups: NDArray[Any], seed: int) -> tuple[Doubles, Doubles]:
    """Shares of the classes in source and target ``(2, k)``, and their difference on every resample ``(b, k)``."""
    sides = np.stack([np.eye(k)[y] * (domain == side)[:, None] for side in (0, 1)])
    counts = np.stack([domain == 0, domain == 1], axis=1).astype(np.float64)
    drawn = []
    for times in cluster_weights(groups, RESAMPLES, seed):
        # A resample of very few groups may miss a domain altogether: it has no shares.
        held = times[(times @ counts > 0).all(axis=1)]
        each = held @ sides / (held @ counts).T[:, :, None]
        drawn.append(each[1] - each[0])
    return sides.sum(axis=1) / counts.sum(axis=0)[:, None], np.concatenate(drawn)


def told_by_class(
    y: Classes,
    domain: Classes,
    k: int,
    *,
    groups: NDArray[Any],
    permuted: NDArray[np.int8],
    level: float = 0.95,
    seed: int = 0,
) -> Told:
    """Accuracy in telling the domains apart by the class alone, ½ + ¼ Σ|dⱼ|, without what is sampling noise of it.

    With d the target's shares minus the source's, guessing for each class the domain where it is more frequent is
    right in ½ + ¼ Σ|dⱼ| of the cases. A sum of absolute values is never negative, so noise alone would pass for a
    shift, the more so the smaller it is. So with eⱼ the deviations of the resamples, shifts c dⱼ of every size c ≥ 0
    are asked whether they would show the sum that was seen: the value is the shift whose median sum, ¼ Σ |c dⱼ + eⱼ|,
    is that of the data, and the ends are those that would show so much, or so little, in (1 − level)/2 of the cases.
    None is below chance. The interval is never narrower than by the spread of the sum with two pseudo-groups added
    (see `evidence.bootstrap`). The p-value is exact: it compares the sum with that of permuted domains.

    Parameters
    ----------
    y, domain : classes, and 0 source or 1 target, ``(n,)``.
    permuted : domains under the hypothesis that there is only one, ``(p, n)``.

    Examples
    --------
    >>> y, d = np.tile(np.repeat([0, 1], 50), 2), np.repeat([0, 1], 100)
    >>> found = told_by_class(y, d, 2, groups=np.arange(200), permuted=np.stack([d, 1 - d]).astype(np.int8))
    >>> found.value, found.low, found.p
    (0.5, 0.5, 1.0)
    """
    shares, drawn = _shares(y, domain, k, groups=groups, seed=seed)
    difference, count = shares[1] - shares[0], len(np.unique(groups))
    p = p_value(_apart(y, np.concatenate([domain[None].astype(np.int8), permuted]), k))
    seen, sizes = float(np.abs(difference).sum() / 4), np.linspace(0, 3, 61)
    sums = np.stack([np.abs(c * difference + (drawn - difference)).sum(axis=1) / 4 for c in sizes])
    curves = np.quantile(sums, [(1 + level) / 2, 0.5, (1 - level) / 2], axis=1)
    low, value, high = (seen * float(np.interp(seen, np.maximum.accumulate(each), sizes)) for each in curves)
    spread = float(sums[np.searchsorted(sizes, value / seen) if seen else 0].var())
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(spread + 2 / count**2))
    low, high = max(0.0, min(low, value - half)), min(0.5, max(high, value + half))
    return Told("class", 0.5 + value, 0.5 + low, 0.5 + high, p)


def _apart(y: Classes, labels: NDArray[np.int8], k: int) -> Doubles:
    """¼ Σ|dⱼ| for each row of labels of the domains, ``(p, n)`` → ``(p,)``."""
    target = labels @ np.eye(k)[y]
    source = np.bincount(y, minlength=k) - target
    each = [part / np.maximum(part.sum(axis=1, keepdims=True), 1) for part in (source, target)]
    found: Doubles = np.abs(each[1] - each[0]).sum(axis=1) / 4
    return found
