"""What choosing on some images adds to a value on the same images, and the value without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.evidence.bootstrap import Interval, replicated, scored, wilson
from headstart.evidence.metrics import METRICS, Classes


def best_of(
    y: Classes,
    predictions: Mapping[str, Classes],
    groups: NDArray[Any],
    *,
    metric: str = "accuracy",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    luck: float = 0.0,
) -> Interval:
    """The winner's value, corrected for having been chosen on the images that it is measured on.

    What `luck_of_choosing` finds is subtracted, down to 0. For accuracy this is BBC of Tsamardinos,
    Greasidou & Borboudakis (*Machine Learning* 2018) with less noise of its own: a lone candidate, or one
    that always wins, is left as it is. The interval is `interval`'s, with the winner's standard error, about
    the corrected value. With fewer than two groups nothing can be corrected.

    Parameters
    ----------
    luck : of a choice that was made on these images before, subtracted as well. The others are as in `interval`.

    Raises
    ------
    OptionError, DataError : as in `interval`; DataError also when there is no candidate.
    """
    count = len(np.unique(groups))
    values, inside, _ = replicated(y, list(predictions.values()), groups, metric, resamples, seed)
    winner = int(values.argmax())
    if count < 2:
        return Interval(float(values[winner]), None, None, len(y))
    luck += luck_of_choosing(y, predictions, groups, metric=metric, resamples=resamples, seed=seed)
    return wilson(max(0.0, float(values[winner]) - luck), inside[winner], count, len(y), level)


def luck_of_choosing(
    y: Classes,
    predictions: Mapping[str, Classes],
    groups: NDArray[Any],
    *,
    metric: str = "accuracy",
    resamples: int = 2000,
    seed: int = 0,
) -> float:
    """By how much the best of some candidates looks better on these images for having been chosen on them.

    In every resample the candidate w_b that wins on the drawn images is scored on the images that were
    *not* drawn, o_b(w_b), where the luck that made it win does not follow; and so is the overall winner
    w, o_b(w), which was chosen with those images in sight:

        max(0, mean_b [o_b(w) − o_b(w_b)]).

    For accuracy the mean of o_b(w) is w's value. 0 with fewer than two groups or candidates.

    Raises
    ------
    OptionError, DataError : as in `interval`; DataError also when there is no candidate.
    """
    candidates = list(predictions.values())
    values, inside, count = replicated(y, candidates, groups, metric, resamples, seed)
    if count < 2 or len(candidates) < 2:
        return 0.0
    outside = scored(y, candidates, groups, METRICS[metric], resamples, seed, drawn=False)
    chosen = np.take_along_axis(outside, inside.argmax(axis=0)[None], axis=0)[0]
    return max(0.0, float(np.nan_to_num(np.nanmean(outside[int(values.argmax())] - chosen))))
