"""Whether transferability scores were right about the networks that were then fine-tuned.

A *race* is one repeat: the same networks, each scored on one training part, fine-tuned on it, and judged on the same
validation images. What a score is worth is its mean over races. Its interval is a nested bootstrap: races are
drawn with replacement, and groups of images with replacement, the same ones in all races and for all
networks; networks are compared on the same images, and an image that several races judge is drawn once for
all of them. A redrawn accuracy is moved by noise of 1/G, G the groups of its race, so that networks which never
disagreed on a few images are not said to be equal for certain: differences are as wide as those of
`headstart.evidence.paired`. What a score said of a race stands as it was said: it was computed on other images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.evidence.bootstrap import cluster_weights
from headstart.evidence.metrics import Classes
from headstart.evidence.ranking import weighted_tau

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEVEL = 0.9
"""Of the intervals."""

SHOWN = 0.95
"""Confidence with which a score is shown to beat something, all scores at once."""


@dataclass(frozen=True, eq=False)
class Race:
    """m networks judged on the same n images of a validation part.

    Attributes
    ----------
    right : whether a network named an image's class, (m, n).
    groups : label of each image's group, (n,); an image has the same label in every race.
    """

    right: Flags
    groups: Classes


@dataclass(frozen=True)
class Estimate:
    """A mean over races with its interval at `LEVEL`: None where a race has fewer than two groups."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Backtest:
    """What one score was worth; means over races, accuracies as shares.

    Attributes
    ----------
    tau : weighted τ of score and accuracy over all networks.
    tau_among : the same among the networks that a blind draw is among; None where these are all, or one.
    regret : accuracy of the truly best network minus that of the top-scored.
    kept : share of races whose truly best network is in the score's tie set.
    tied : networks in that set; one that holds them all keeps the best without knowing it.
    gain : accuracy of the top-scored network minus the mean of those that a blind draw is among.
    against : accuracy of the top-scored network minus that of the reference score's; None of the reference itself.
    beats_blind, beats_reference : whether that is shown to be above 0, all scores at once.
    """

    tau: Estimate
    tau_among: Estimate | None
    regret: Estimate
    kept: Estimate
    tied: float
    gain: Estimate
    against: Estimate | None
    beats_blind: bool
    beats_reference: bool


@dataclass(frozen=True)
class Backtested:
    """All scores of some races.

    Attributes
    ----------
    accuracies : of each network.
    blind : regret of a blind draw: accuracy of the best network minus the mean of those it is among.
    scores : in the order given.
    """

    accuracies: tuple[Estimate, ...]
    blind: Estimate
    scores: tuple[Backtest, ...]


def regret_at_1(scores: Doubles, truth: Doubles) -> Doubles:
    """What is lost by using the network with the highest score: max(truth) − truth[argmax scores]; 0 is best.

    The absolute form of Renggli et al., *Which Model to Transfer?*, CVPR 2022. Of equal scores the mean of the
    networks counts: one of them is drawn.

    Parameters
    ----------
    scores : (m,).
    truth : accuracies, or whatever else is better when higher, (…, m); regrets have its unit, and the shape (…).

    Examples
    --------
    >>> regret_at_1(np.array([0.1, 0.9, 0.9]), np.array([0.75, 0.5, 0.25])).item()
    0.375
    """
    return np.asarray(truth.max(axis=-1) - truth @ _drawn(scores))


def backtest(
    scores: Doubles,
    tied: Flags,
    races: Sequence[Race],
    *,
    among: Flags,
    reference: int,
    resamples: int = 2000,
    seed: int = 0,
) -> Backtested:
    """Judge s scores by r races of m networks.

    With a_rm the accuracy of network m in race r, and t_srm the score, it takes the means over r of the weighted
    τ(t_sr, a_r) (`headstart.evidence.ranking.weighted_tau`), of the regret, and of what else `Backtest` names. The
    interval holds the middle `LEVEL` of the means over resamples, and the mean itself: noise in a_r draws τ to 0
    and the regret up, in the resamples as in the races. `gain` and `against` are linear in the
    accuracies and have no such bias: what is *shown* rests on them. It is shown where not more than
    (1 − `SHOWN`) / s of the resamples are at or below 0 (Bonferroni); one race shows nothing, for its training
    part and its luck in training stand in no resample.

    Parameters
    ----------
    scores : (s, r, m); higher is better.
    tied : whether a score held the network to be possibly the best, (s, r, m).
    races : r of them.
    among : networks that a blind draw is among, (m,).
    reference : number of the score that the others are compared with.

    Examples
    --------
    >>> right = np.arange(40) < np.array([[30], [20], [10]])
    >>> races = [Race(right, np.arange(40)), Race(right, np.arange(40, 80))]
    >>> scores = np.array([[[3.0, 2, 1]] * 2, [[1.0, 2, 3]] * 2])
    >>> found = backtest(scores, scores == 3, races, among=np.ones(3, bool), reference=0)
    >>> [(round(one.tau.value, 3), one.regret.value, one.kept.value) for one in found.scores]
    [(1.0, 0.0, 1.0), (-1.0, 0.5, 0.0)]
    """
    known = min(len(np.unique(race.groups)) for race in races) > 1
    plain = np.stack([race.right.mean(axis=1) for race in races])[None]
    reached = np.concatenate([plain, _redrawn(races, resamples, seed)]) if known else plain
    rng = np.random.default_rng([seed, 1])
    draws = np.vstack([np.arange(len(races)), rng.integers(len(races), size=(len(reached) - 1, len(races)))])

    def mean(by_race: Doubles) -> Doubles:
        """Of a value in every race, (1 + b, r): its mean over the races as they are, and over those of each draw."""
        return np.asarray(np.take_along_axis(by_race, draws, axis=1).mean(axis=1))

    def shown(means: Doubles, comparisons: int) -> bool:
        return known and len(races) > 1 and bool((means[1:] <= 0).mean() <= (1 - SHOWN) / comparisons)

    apart = 2 <= among.sum() < len(among)
    blind = among / among.sum()
    drawn = np.stack([[_drawn(one) for one in each] for each in scores])
    chosen = np.einsum("brm,srm->sbr", reached, drawn)
    best = reached == reached.max(axis=2, keepdims=True)
    found = []
    for number, (score, ties) in enumerate(zip(scores, tied, strict=True)):
        gain = mean(chosen[number] - reached @ blind)
        against = mean(chosen[number] - chosen[reference])
        itself = number == reference
        found.append(
            Backtest(
                tau=_estimate(mean(_taus(score, reached))),
                tau_among=_estimate(mean(_taus(score[:, among], reached[:, :, among]))) if apart else None,
                regret=_estimate(mean(reached.max(axis=2) - chosen[number])),
                kept=_estimate(mean((best & ties).sum(axis=2) / best.sum(axis=2))),
                tied=float(ties.sum(axis=1).mean()),
                gain=_estimate(gain),
                against=None if itself else _estimate(against),
                beats_blind=shown(gain, len(scores)),
                beats_reference=not itself and shown(against, len(scores) - 1),
            )
        )
    accuracies = tuple(_estimate(mean(reached[:, :, m]).clip(0, 1)) for m in range(reached.shape[2]))
    return Backtested(accuracies, _estimate(mean(reached.max(axis=2) - reached @ blind)), tuple(found))


def _drawn(scores: Doubles) -> Doubles:
    """How likely each network is to be used, (m,): the one with the highest score, or one of several at random."""
    top = scores == scores.max()
    return np.asarray(top / top.sum())


def _redrawn(races: Sequence[Race], resamples: int, seed: int) -> Doubles:
    """Accuracies of the networks on redrawn images, (b, r, m); a race of which no image is drawn stays as it is."""
    rng = np.random.default_rng([seed, 2])
    groups = np.array([len(np.unique(race.groups)) for race in races])
    ends = np.cumsum([len(race.groups) for race in races])[:-1]
    blocks = []
    for weights in cluster_weights(np.concatenate([race.groups for race in races]), resamples, seed):
        parts = []
        for race, own in zip(races, np.split(weights, ends, axis=1), strict=True):
            own = np.where(own.any(axis=1, keepdims=True), own, 1.0)
            parts.append(own @ race.right.T / own.sum(axis=1, keepdims=True))
        reached = np.stack(parts, axis=1)
        blocks.append(reached + rng.normal(size=reached.shape) / groups[:, None])
    return np.concatenate(blocks)


def _taus(score: Doubles, reached: Doubles) -> Doubles:
    """Weighted τ in every race on every resample, (b, r): computed once for each order that the networks end in."""
    found = np.empty(reached.shape[:2])
    for race, own in enumerate(score):
        ranks = stats.rankdata(reached[:, race], axis=1)
        orders, which = np.unique(ranks, axis=0, return_inverse=True)
        found[:, race] = np.array([weighted_tau(own, order) for order in orders])[which.ravel()]
    return found


def _estimate(means: Doubles) -> Estimate:
    """The mean of the races as they are, first in `means`, within the middle `LEVEL` of the others."""
    value = float(means[0])
    if len(means) == 1:
        return Estimate(value, None, None)
    low, high = np.quantile(means[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
