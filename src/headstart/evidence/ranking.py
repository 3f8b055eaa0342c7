"""Which of several networks scores best, and whether the images are enough to say so.

Scores have no standard error of their own. Theirs is that of the delete-half jackknife: half of the
images of every class is drawn without replacement, the score is computed on it, and how far the scores
of halves lie apart says how far the score of other images would lie from this one (Shao & Wu, *Annals of
Statistics* 1989). Networks are scored on the same halves, so their differences are paired; no image
is ever there twice, which would be its own neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.evidence.metrics import Classes

Doubles = NDArray[np.float64]

LEVEL = 0.9
"""Of the interval about a mean rank."""

SHOWN = 0.95
"""Confidence with which a network is shown worse than another, all pairs of a score at once."""

AGREEMENT = 0.5
"""Scores whose mean weighted τ is lower disagree: more than a quarter of the (weighted) pairs stand the other way."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """m networks ranked by s scores.

    Attributes
    ----------
    order : indices of the networks, from the best mean rank, (m,).
    ranks : rank by each score, 1 is best, (s, m); equal scores share the mean of their ranks.
    mean_rank, low, high : mean over scores with its interval at `LEVEL`, (m,); the ends are nan where there
        are no replicates.
    tied : whether the network may be the best: not every score shows it worse than another, (m,).
    agreement : mean weighted τ over pairs of scores; None with one score or one network.
    """

    order: NDArray[np.intp]
    ranks: Doubles
    mean_rank: Doubles
    low: Doubles
    high: Doubles
    tied: NDArray[np.bool_]
    agreement: float | None

    @property
    def disagree(self) -> bool:
        """Whether the scores agree less than `AGREEMENT`."""
        return self.agreement is not None and self.agreement < AGREEMENT


def halves(y: Classes, groups: Classes, *, count: int, seed: int) -> NDArray[np.bool_]:
    """Which images are in each of `count` random halves, (count, n).

    Half of the groups of each class is drawn, but at least two where there are two; of an odd number the
    one in the middle is drawn at random. A group belongs to the class of its first image.

    Examples
    --------
    >>> halves(np.repeat([0, 1], 4), np.arange(8), count=3, seed=0).sum(axis=1).tolist()
    [4, 4, 4]
    """
    names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((count, len(names)), dtype=np.bool_)
    for c in np.unique(y):
        own = np.flatnonzero(y[first] == c)
        for half in drawn:
            size = max(min(2, len(own)), (len(own) + int(rng.integers(2))) // 2)
            half[rng.permutation(own)[:size]] = True
    return drawn[:, member]


def replicates(score: Callable[[NDArray[np.intp]], float], value: float, drawn: NDArray[np.bool_]) -> Doubles:
    """The score as other images would give it, (b,), from halves of these.

    With r of n images in a half b, θ_b its score and θ̄ their mean, θ + √(r/(n − r)) (θ_b − θ̄): the spread
    is that of n images (Shao & Wu 1989), and that a score depends on their number does not shift it.
    nan where halves are all of the images.

    Parameters
    ----------
    score : indices of images → their score.
    value : θ, the score of all of them.
    drawn : the halves, (b, n), of `halves`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=400)
    >>> drawn = halves(np.zeros(400, int), np.arange(400), count=300, seed=0)
    >>> bool(0.8 < replicates(lambda i: x[i].mean(), x.mean(), drawn).std() * 20 / x.std() < 1.2)
    True
    """
    found = np.array([score(np.flatnonzero(half)) for half in drawn])
    share = drawn.mean()
    if share == 1:
        return np.full(len(drawn), np.nan)
    return np.asarray(value + np.sqrt(share / (1 - share)) * (found - found.mean()))


def rank(values: Doubles, spread: Doubles) -> Ranking:
    """Networks by their mean rank over scores, with what the replicates allow to say.

    A network is *shown worse* by a score where some other exceeds it by more than t · s, s the standard
    error of their difference and t Student's quantile at b − 1 degrees of freedom, one-sided, at
    `SHOWN`, divided among the m(m − 1) ordered pairs (Bonferroni). It is tied for the best unless every
    score shows it worse: one score that cannot tell is enough for doubt, and because all must agree, no
    further correction is due (Berger, *Technometrics* 1982). The network that a score would find best on
    unlimited images is among the tied at least 95 times in 100; so is the first in order, always.

    Parameters
    ----------
    values : scores, (s, m); higher is better.
    spread : their replicates on the same b halves, (s, m, b).

    Examples
    --------
    >>> noise = 0.01 * np.random.default_rng(0).normal(size=(1, 3, 50))
    >>> values = np.array([[0.80, 0.50, 0.805]])
    >>> found = rank(values, values[..., None] + noise)
    >>> found.order.tolist(), found.tied.tolist()
    ([2, 0, 1], [True, False, True])
    """
    ranks = stats.rankdata(-values, axis=1)
    known = np.isfinite(spread).all() and spread.shape[2] > 1
    means = stats.rankdata(-spread, axis=1).mean(axis=0) if known else np.full((values.shape[1], 1), np.nan)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    mean_rank = ranks.mean(axis=0)
    order = np.lexsort((-values[0], mean_rank))
    worse = np.stack([_shown_worse(*each) for each in zip(values, spread, strict=True)]) if known else False
    tied = ~np.all(np.broadcast_to(worse, values.shape), axis=0)
    tied[order[0]] = True
    return Ranking(
        order=order,
        ranks=ranks,
        mean_rank=mean_rank,
        low=np.minimum(low, mean_rank),
        high=np.maximum(high, mean_rank),
        tied=tied,
        agreement=_agreement(values),
    )


def _shown_worse(values: Doubles, spread: Doubles) -> NDArray[np.bool_]:
    m, b = spread.shape
    if m < 2:
        return np.zeros(m, dtype=np.bool_)
    quantile = stats.t.ppf(1 - (1 - SHOWN) / (m * (m - 1)), b - 1)
    errors = (spread[:, None] - spread).std(axis=2, ddof=1)
    return np.asarray((values[:, None] - values > quantile * errors).any(axis=0))


def _agreement(values: Doubles) -> float | None:
    if min(values.shape) < 2:
        return None
    return float(np.mean([weighted_tau(a, b) for a, b in combinations(values, 2)]))


def weighted_tau(a: Doubles, b: Doubles) -> float:
    """Weighted Kendall's τ of two scores of the same networks, (m,): 1 the same order, −1 the reverse.

    An exchange of networks with ranks r and s weighs 1/r + 1/s, so that the top counts most; averaged over
    ranking by `a` and by `b`. Vigna, *A Weighted Correlation Index for Rankings with Ties*, WWW 2015.
    Where one of them tells no two networks apart it is 0: it agrees with no order.

    Examples
    --------
    >>> round(weighted_tau(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0])), 3)
    0.545
    """
    found = float(stats.weightedtau(a, b).statistic)
    return 0.0 if np.isnan(found) else found
