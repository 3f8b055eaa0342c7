from typing import Any

import numpy as np
import pytest

from headstart.evidence import ridge
from headstart.evidence.growing import Draw, accuracies, nested_order

PENALTIES = [1.0, 30.0, 1000.0]


def example(d: int, n: int = 240, k: int = 4) -> tuple[np.ndarray, np.ndarray, Draw]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    x = (rng.normal(size=(k, d))[y] + 2.5 * rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d)).astype(np.float32)
    rows = rng.permutation(n)
    return x, y, Draw(rows[:180], np.arange(180) % 5, rows[180:])


@pytest.mark.parametrize("d", [12, 60, 400])
def test_every_size_is_a_ridge_fitted_anew(d: int) -> None:
    x, y, draw = example(d)
    sizes, targets = [20, 50, 100, 180], np.eye(4)[y]
    expected = []
    for n in sizes:
        rows, fold = draw.order[:n], draw.fold[:n]
        right = ridge.out_of_fold(x[rows], targets[rows], fold, PENALTIES).argmax(2) == y[rows]
        penalty = max(zip(right.mean(1), PENALTIES, strict=True))[1]
        predicted = ridge.fit(x[rows], targets[rows], [penalty]).predict(x[draw.held])[0].argmax(1)
        expected.append((predicted == y[draw.held]).mean())
    found = accuracies(x, y, draw, sizes=sizes, penalties=PENALTIES)
    np.testing.assert_allclose(found, expected, atol=0.04)  # a fold's own scale may decide for another penalty
    assert found[-1] >= found[0]


def test_no_row_is_summed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, draw = example(12)
    summed = []
    real = ridge.moments

    def counting(rows: np.ndarray, *arguments: Any, **more: Any) -> ridge.Moments:
        summed.append(len(rows))
        return real(rows, *arguments, **more)

    monkeypatch.setattr(ridge, "moments", counting)
    accuracies(x, y, draw, sizes=[80, 120, 180], penalties=PENALTIES)
    assert sum(summed) == 180


def test_the_judged_rows_decide_nothing() -> None:
    x, y, draw = example(12)
    swapped = y.copy()
    swapped[draw.held] = (y[draw.held] + 1) % 4
    one, other = (accuracies(x, labels, draw, sizes=[60, 180], penalties=PENALTIES) for labels in (y, swapped))
    predicted_right_of_other_labels = one + other
    assert (predicted_right_of_other_labels <= 1).all() and one[1] > other[1]


def test_prefixes_are_stratified_and_groups_stand_together() -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    groups = np.arange(100)
    groups[[1, 2, 3]] = 0
    order = nested_order(y, groups, seed=3)
    assert sorted(order.tolist()) == list(range(100))
    for n in (20, 50, 80):
        assert np.abs(np.bincount(y[order[:n]], minlength=3) - n * np.array([0.6, 0.3, 0.1])).max() <= 4
    places = np.flatnonzero(np.isin(order, [0, 1, 2, 3]))
    assert places.max() - places.min() == 3
    assert (order == nested_order(y, groups, seed=3)).all() and (order != nested_order(y, groups, seed=4)).any()


def test_a_sample_within_one_fold_is_judged_row_by_row() -> None:
    x, y, draw = example(12)
    one = Draw(draw.order, np.zeros(180, dtype=np.intp), draw.held)
    assert np.isfinite(accuracies(x, y, one, sizes=[20, 180], penalties=PENALTIES)).all()
