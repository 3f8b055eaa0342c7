"""What a method is likely to bring on the target, from labelled source images and weights alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headstart.evidence.bootstrap import Difference, cluster_weights
from headstart.evidence.label_free.seen import Doubles
from headstart.evidence.metrics import Classes


def weighted_gain(
    y: Classes,
    a: Classes,
    b: Classes,
    weights: Doubles,
    groups: NDArray[Any],
    *,
    level: float = 0.9,
    resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Accuracy of `a` minus that of `b` on source images that count by their weights, Σ wᵢ dᵢ / Σ wᵢ.

    dᵢ = [aᵢ = yᵢ] − [bᵢ = yᵢ]. The interval resamples groups, as `headstart.evidence.paired` does, and counts as
    many of them as the weights leave, G* = (Σ W_g)² / Σ W_g² over groups: d ± q √(s² + 2/G*²). It is one of the
    target only where P(y | z) is the same there and the weights are right.

    Parameters
    ----------
    y, a, b : true and predicted classes of source images that nothing was fitted to, ``(n,)``.
    weights : how much likelier the target makes each, ``(n,)``.
    groups : what is drawn together, ``(n,)``.

    Examples
    --------
    >>> y = np.zeros(100, dtype=int)
    >>> found = weighted_gain(y, y, 1 - y, np.ones(100), np.arange(100))
    >>> found.value, round(found.low, 2), found.high
    (1.0, 0.98, 1.0)
    """
    right = (a == y).astype(np.float64) - (b == y)
    value = float(weights @ right / weights.sum())
    _, member = np.unique(groups, return_inverse=True)
    by_group = np.bincount(member, weights=weights)
    count = float(by_group.sum() ** 2 / np.square(by_group).sum())
    if count < 2:
        return Difference(value, None, None)
    draws = cluster_weights(groups, resamples, seed)
    drawn = np.concatenate([(times @ (weights * right)) / (times @ weights) for times in draws])
    error = float(np.sqrt(np.nanvar(drawn) + 2 / count**2))
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return Difference(value, max(-1.0, value - half), min(1.0, value + half))

