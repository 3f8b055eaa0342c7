"""The mean over tasks and its paired interval, against loops over resamples."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.errors import InternalError
from headstart.evidence import METRICS, paired
from headstart.evidence.bootstrap import cluster_weights
from headstart.evidence.several import mean_over_tasks, paired_over_tasks


def some(n: int = 60, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels of two tasks with gaps, two predictions that are often right, and groups."""
    rng = np.random.default_rng(seed)
    truth = np.stack([rng.integers(0, 3, n), rng.integers(0, 2, n)], axis=1)
    a, b = (np.where(rng.random((n, 2)) < p, truth, 0) for p in (0.9, 0.6))
    y = truth.copy()
    y[: n // 3, 1] = -1
    y[n - 6 :, 0] = -1
    return y, a, b, rng.integers(0, n // 2, n)


@pytest.mark.parametrize("metric", METRICS)
def test_the_mean_is_that_of_each_task_over_its_labelled_images(metric: str) -> None:
    y, a, _, groups = some()
    weights = next(cluster_weights(groups, 5, 0))
    got = mean_over_tasks(y, a, metric=metric, weights=weights)
    for row, found in zip(weights, got, strict=True):
        drawn = np.repeat(np.arange(len(y)), row.astype(int))
        values = []
        for t in range(2):
            own = drawn[y[drawn, t] >= 0]
            values.append(float(METRICS[metric](y[own, t], a[own, t])))
        assert found == pytest.approx(np.mean(values))


def test_a_resample_that_misses_a_task_leaves_it_out() -> None:
    y, predicted = np.array([[0, -1], [1, 1]]), np.array([[0, 0], [0, 1]])
    got = mean_over_tasks(y, predicted, metric="accuracy", weights=np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert got.tolist() == [1.0, 0.75]


@pytest.mark.parametrize("metric", METRICS)
def test_of_one_task_it_is_the_paired_interval(metric: str) -> None:
    y, a, b, groups = some()
    there = y[:, 0] >= 0
    got = paired_over_tasks(y[there, :1], a[there, :1], b[there, :1], groups[there], metric=metric, resamples=300)
    assert got == paired(y[there, 0], a[there, 0], b[there, 0], groups[there], metric=metric, resamples=300)


def test_labels_of_one_image_are_drawn_together() -> None:
    y, a, b, groups = some(200)
    y = np.where(y < 0, 0, y)
    got = paired_over_tasks(y, a, b, groups)
    spread = np.concatenate(
        [((a == y).mean(1) - (b == y).mean(1)) @ w.T / w.sum(1) for w in cluster_weights(groups, 2000, 0)]
    )
    count = len(np.unique(groups))
    error = np.sqrt(spread.var() * count / (count - 1) + 2 / count**2)
    assert got.value == pytest.approx((a == y).mean() - (b == y).mean())
    assert got.high is not None and got.low is not None
    assert got.high - got.low == pytest.approx(2 * 1.98 * error, rel=0.01)


def test_the_edges() -> None:
    y, a, b, _ = some()
    assert paired_over_tasks(y, a, b, np.zeros(len(y), int)).low is None
    y[0] = -1
    with pytest.raises(InternalError):
        paired_over_tasks(y, a, b, np.arange(len(y)))
