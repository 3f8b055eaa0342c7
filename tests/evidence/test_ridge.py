import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from headstart.evidence import ridge

SHAPES = [(60, 8), (60, 30), (60, 200)]
PENALTIES = [0.1, 10.0, 1000.0]


def example(n: int, d: int, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, d)) * rng.uniform(0.1, 5, d) + rng.normal(size=d) * 3).astype(np.float32)
    return x, rng.normal(size=(n, k)), rng.permutation(np.arange(n) % 5)


def deviation(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted standard deviations."""
    x, w = x.astype(float), w / w.sum()
    return np.sqrt(w @ (x - w @ x) ** 2)


def plain(
    x: np.ndarray, t: np.ndarray, penalty: float, w: np.ndarray, at: np.ndarray, scale: np.ndarray | None = None
) -> np.ndarray:
    """The normal equations with an explicit, unpenalised column of ones."""
    x, at, total = x.astype(float), at.astype(float), w.sum()
    mean = (w[:, None] * x).sum(0) / total
    scale = deviation(x, w) if scale is None else scale
    design = np.column_stack([np.ones(len(x)), (x - mean) / scale])
    shrink = penalty * np.diag([0.0] + [1.0] * x.shape[1])
    weights = np.linalg.solve(design.T @ (w[:, None] * design) + shrink, design.T @ (w[:, None] * t))
    return np.column_stack([np.ones(len(at)), (at - mean) / scale]) @ weights


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_and_folds_agree_with_the_normal_equations(n: int, d: int, weighted: bool) -> None:
    x, t, fold = example(n, d)
    w = np.random.default_rng(1).uniform(0.5, 2, n) if weighted else np.ones(n)
    fitted = ridge.fit(x, t, PENALTIES, weights=w).predict(x)
    held_out = ridge.out_of_fold(x, t, fold, PENALTIES, weights=w)
    scale = deviation(x, w) if d > 12 else None  # one factorisation serves all folds, with one scale
    for i, penalty in enumerate(PENALTIES):
        np.testing.assert_allclose(fitted[i], plain(x, t, penalty, w, x), atol=1e-6)
        for f in range(5):
            out, own = fold == f, fold != f
            expected = plain(x[own], t[own], penalty, w[own], x[out], scale)
            np.testing.assert_allclose(held_out[i, out], expected, atol=2e-6)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_fit_agrees_with_scikit_learn(n: int, d: int) -> None:
    x, t, _ = example(n, d)
    standard = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float)
    for penalty in PENALTIES:
        expected = Ridge(alpha=penalty).fit(standard, t).predict(standard)
        np.testing.assert_allclose(ridge.fit(x, t, [penalty]).predict(x)[0], expected, atol=1e-6)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_leave_one_out_is_a_loop_over_rows(n: int, d: int) -> None:
    x, t, _ = example(n, d)
    x = (x - x.mean(0)) / x.std(0)
    got = ridge.leave_one_out(x, t, PENALTIES)
    scale = x.std(0, dtype=float)
    for i, penalty in enumerate(PENALTIES):
        for row in (0, 7, n - 1):
            rest = np.arange(n) != row
            fitted = Ridge(alpha=penalty).fit(x[rest] / scale, t[rest])
            np.testing.assert_allclose(got[i, row], fitted.predict(x[row : row + 1] / scale)[0], atol=1e-6)


def test_workers_do_not_change_a_bit() -> None:
    for n, d in SHAPES:
        x, t, fold = example(n, d)
        one, three = (ridge.out_of_fold(x, t, fold, PENALTIES, workers=w) for w in (1, 3))
        assert (one == three).all()


def test_features_that_do_not_vary_are_harmless() -> None:
    for n, d in SHAPES:
        x, t, fold = example(n, d)
        dead = np.column_stack([x, np.zeros(n), np.full(n, 7.1)]).astype(np.float32)
        dead[0, d] = 1e-12
        np.testing.assert_allclose(
            ridge.out_of_fold(dead, t, fold, PENALTIES), ridge.out_of_fold(x, t, fold, PENALTIES), atol=1e-5
        )
        assert np.isfinite(ridge.fit(np.zeros((n, d)), t, [1.0]).weight).all()


@pytest.mark.parametrize("step", [1e-4, 2e-3])
@pytest.mark.parametrize("n", [60, 10])
def test_a_feature_that_varies_by_its_rounding_alone_is_not_read(n: int, step: float) -> None:
    """It tells the classes apart here; another engine, whose rounding is another, would give another answer."""
    x, _, _ = example(n, 20)
    y = np.arange(n) % 2
    still = 5 + step * y
    told = [
        ridge.fit(np.column_stack([x, column]), np.eye(2)[y], [1.0]) for column in (still, still + step * (y[::-1] - y))
    ]
    np.testing.assert_allclose(told[0].weight[0, :, -1] * step, 0, atol=1e-9)
    np.testing.assert_allclose(told[0].weight[0, :, :-1], told[1].weight[0, :, :-1], rtol=1e-6, atol=1e-9)


def test_many_rows_are_summed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t, fold = example(60, 8)
    whole = ridge.out_of_fold(x, t, fold, PENALTIES)
    monkeypatch.setattr(ridge, "ROWS", 7)
    np.testing.assert_allclose(ridge.out_of_fold(x, t, fold, PENALTIES), whole, atol=1e-6)


def test_a_growing_sample_reuses_the_sums_of_its_shards() -> None:
    x, t, _ = example(60, 8)
    w, shift = np.ones(60), x[:40].mean(0, dtype=float)
    first, second = (ridge.moments(x[part], t[part], w[part], shift=shift) for part in (slice(40), slice(40, None)))
    grown = ridge.solve_moments(first.plus(second), PENALTIES).predict(x)
    np.testing.assert_allclose(grown, ridge.fit(x, t, PENALTIES).predict(x), atol=1e-6)
    shrunk = ridge.solve_moments(first.plus(second).plus(second, sign=-1), PENALTIES).predict(x)
    np.testing.assert_allclose(shrunk, ridge.fit(x[:40], t[:40], PENALTIES).predict(x), atol=1e-6)


def test_selection_among_a_hundred_classes_agrees_with_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(1000) % 100
    x = (1.2 * rng.normal(size=(100, 60))[y] + rng.normal(size=(1000, 60)) * rng.uniform(0.5, 2, 60)).astype("f4")
    penalties = list(np.logspace(6, 0, 13))
    left_out = ridge.leave_one_out(x, np.eye(100)[y], penalties).argmax(2) == y
    chosen = penalties[int(left_out.mean(1).argmax())]
    new = np.arange(4000) % 100
    rng = np.random.default_rng(0)
    means = 1.2 * rng.normal(size=(100, 60))
    fresh = np.random.default_rng(2).normal(size=(4000, 60)) * 1.2 + means[new]
    found = (ridge.fit(x, np.eye(100)[y], [chosen]).predict(fresh.astype("f4"))[0].argmax(1) == new).mean()
    every = [
        (one.argmax(1) == new).mean() for one in ridge.fit(x, np.eye(100)[y], penalties).predict(fresh.astype("f4"))
    ]
    logistic = LogisticRegression(C=0.01, max_iter=500).fit(x / x.std(0), y).score(fresh / x.std(0), new)
    assert found > max(every) - 0.01 and found > logistic - 0.02


@pytest.mark.slow
def test_thirteen_penalties_of_five_folds_take_about_a_second() -> None:
    x, t, fold = example(1080, 1280, k=16)
    with threadpool_limits(1):
        started = time.process_time()
        ridge.out_of_fold(x, t, fold, list(np.logspace(6, 0, 13)))
        assert time.process_time() - started < 5
