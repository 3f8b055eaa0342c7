"""A metric averaged over several tasks on the same images, of which some have no label of some task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError
from headstart.evidence.bootstrap import Difference, cluster_weights, difference_of
from headstart.evidence.metrics import METRICS, Classes, Floats


def mean_over_tasks(y: Classes, predicted: Classes, *, metric: str, weights: Floats | None = None) -> Floats:
    """(1/|T|) Σ_{t∈T} metric of task t over the images that have a label of it: a scalar, or one a row of weights.

    T are the tasks of which an image with a weight has a label: a resample that misses a task leaves it out.

    Parameters
    ----------
    y, predicted : ``(n, m)`` classes of m tasks; y is negative where an image has no label.
    weights : ``(b, n)``, how often each image counts in each of b resamples.

    Examples
    --------
    >>> y, predicted = np.array([[0, 1], [1, -1]]), np.array([[0, 1], [0, 0]])
    >>> float(mean_over_tasks(y, predicted, metric="accuracy"))  # one half of the first task, all of the second
    0.75
    """
    values = []
    for t in range(y.shape[1]):
        there = y[:, t] >= 0
        own = None if weights is None else weights[:, there]
        values.append(METRICS[metric](y[there, t], predicted[there, t], weights=own))
    mean: Floats = np.nanmean(np.stack(values), axis=0)
    return mean


def paired_over_tasks(
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
    """`mean_over_tasks` of `a` minus that of `b`: groups of images are drawn with all their labels at once.

    The interval is that of `headstart.evidence.paired`, which it equals where there is one task. Arrays are
    ``(n, m)`` as above, every image with one label at least; `groups` is ``(n,)``.
    """
    if (y < 0).all(axis=1).any():
        raise InternalError("images without any label were to be compared by")
    value = float(mean_over_tasks(y, a, metric=metric) - mean_over_tasks(y, b, metric=metric))
    blocks = [
        mean_over_tasks(y, a, metric=metric, weights=times) - mean_over_tasks(y, b, metric=metric, weights=times)
        for times in (cluster_weights(groups, resamples, seed) if len(np.unique(groups)) > 1 else ())
    ]
    spread = np.concatenate(blocks) if blocks else np.empty(0)
    return difference_of(value, spread, len(np.unique(groups)), level=level)
