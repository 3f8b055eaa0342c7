import numpy as np
import pytest
from scipy import stats

from headstart.evidence.mmd import BANDWIDTHS, kernel, mmd2, mmd_test
from headstart.evidence.two_sample import Layout, permutations


def layout(n: int, groups: np.ndarray, count: int, seed: int = 0) -> Layout:
    domain = np.repeat([0, 1], n)
    fold = np.zeros(2 * n, dtype=np.int64)
    return Layout(domain, groups, fold, permutations(domain, groups, fold, count=count, seed=seed))


def test_mmd2_against_a_double_loop() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(11, 3)) * [1, 2, 5]
    labels = np.array([0] * 6 + [1] * 5)
    x = (z - z.mean(axis=0)) / z.std(axis=0)
    squares = {(i, j): ((x[i] - x[j]) ** 2).sum() for i in range(11) for j in range(11)}
    median = np.median([squares[i, j] for i in range(11) for j in range(i)])

    def k(i: int, j: int) -> float:
        return float(np.mean([np.exp(-squares[i, j] / (2 * b**2 * median)) for b in BANDWIDTHS]))

    total = 0.0
    for i in range(11):
        for j in range(11):
            if i != j and labels[i] == labels[j]:
                m = 6 if labels[i] == 0 else 5
                total += k(i, j) / (m * (m - 1))
            if labels[i] != labels[j]:
                total -= k(i, j) / 30
    assert mmd2(kernel(z), labels[None])[0] == pytest.approx(total)


def test_the_interval_covers_what_more_images_would_give() -> None:
    rng = np.random.default_rng(1)

    def drawn(n: int) -> np.ndarray:
        return np.concatenate([rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + np.array([1.0, 0.0])])

    truth = float(mmd2(kernel(drawn(1500)), np.repeat([0, 1], 1500)[None])[0])
    covered = 0
    for _ in range(40):
        [found], p = mmd_test({"z": drawn(60)}, layout(60, np.arange(120), count=19))
        covered += found.low <= truth <= found.high
        assert p <= 0.05
    assert covered >= stats.binom.ppf(0.005, 40, 0.95)


def test_no_difference_is_shown_at_the_stated_level() -> None:
    rng = np.random.default_rng(2)
    shown = sum(
        mmd_test({"a": rng.normal(size=(60, 2)), "b": rng.normal(size=(60, 4))}, layout(30, np.arange(60), 49, s))[1]
        <= 0.1
        for s in range(100)
    )
    assert stats.binom.ppf(0.005, 100, 0.1) <= shown <= stats.binom.ppf(0.995, 100, 0.1)
