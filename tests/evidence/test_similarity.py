"""Alignment of representations and specificity of features, against independent transcriptions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from headstart.evidence.similarity import between_classes, linear_cka


def _pairs(n: int) -> np.ndarray:
    """Every four different rows: the unbiased HSIC as its definition has it, a mean over ordered quadruples."""
    from itertools import permutations

    return np.array(list(permutations(range(n), 4)))


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    i, j, q, r = _pairs(len(k)).T
    return float((k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q]).mean())


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_mean_over_quadruples_of_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 4))
    y[:, :2] += x[:, :2]
    k, m = x @ x.T, y @ y.T
    expected = _hsic(k, m) / np.sqrt(_hsic(k, k) * _hsic(m, m))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-6)


def test_rotations_scales_and_shifts_change_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(60, 5))
    assert linear_cka(x, 3 * x @ ortho_group.rvs(5, random_state=0) + 7) == pytest.approx(1.0, abs=1e-9)


def test_independent_features_are_not_alike_however_wide_they_are() -> None:
    rng = np.random.default_rng(0)
    found = [linear_cka(rng.normal(size=(50, 400)), rng.normal(size=(50, 400))) for _ in range(30)]
    assert abs(np.mean(found)) < 0.02


def test_of_three_images_nothing_is_said() -> None:
    assert linear_cka(np.eye(3), np.eye(3)) is None


def test_what_does_not_vary_is_like_nothing() -> None:
    assert linear_cka(np.ones((9, 2)), np.random.default_rng(0).normal(size=(9, 2))) == 0.0


def test_the_share_between_classes_is_that_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 80)
    z = rng.normal(size=(80, 6)) + y[:, None] * np.linspace(0, 2, 6)
    one_hot = np.eye(4)[y]
    fitted = one_hot @ np.linalg.lstsq(one_hot, z, rcond=None)[0]
    expected = 1 - np.square(z - fitted).sum(0) / np.square(z - z.mean(0)).sum(0)
    assert between_classes(z, y) == pytest.approx(expected, abs=1e-9)
    assert between_classes(np.ones((80, 2)), y).tolist() == [0.0, 0.0]
