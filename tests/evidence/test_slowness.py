"""Linear slow features against two other solutions, slowness and collapse against what they must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigh

from headstart.evidence.collapse import spread_of
from headstart.evidence.slowness import linear_sfa, slowness


def walk(n: int = 300, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    t = np.linspace(0, 4 * np.pi, n)
    sources = np.stack([np.sin((k + 1) * t + k) for k in range(d)], 1) + 0.05 * rng.normal(size=(n, d))
    return sources @ rng.normal(size=(d, d)), np.stack([np.arange(n - 1), np.arange(1, n)], 1)


def test_linear_sfa_is_the_generalised_eigenproblem() -> None:
    x, pairs = walk()
    change, centred = x[pairs[:, 1]] - x[pairs[:, 0]], x - x.mean(0)
    values, vectors = eigh(change.T @ change / len(pairs), centred.T @ centred / len(x))
    found = linear_sfa(x, pairs)
    np.testing.assert_allclose(found.slowness, values, rtol=1e-6)
    np.testing.assert_allclose(np.abs(found.weight), np.abs(vectors), atol=1e-6)
    y = found.transform(x)
    np.testing.assert_allclose(np.cov(y, rowvar=False, bias=True), np.eye(6), atol=1e-6)


def test_linear_sfa_agrees_with_another_package() -> None:
    sksfa = pytest.importorskip("sksfa")
    x, _ = walk()
    x = np.concatenate([x, x[:1]])  # it takes the mean change off, which a walk that comes home does not have
    pairs = np.stack([np.arange(len(x) - 1), np.arange(1, len(x))], 1)
    theirs = sksfa.SFA(n_components=6).fit_transform(x)
    ours = linear_sfa(x, pairs).transform(x)
    scale = theirs.std(0)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs / scale), atol=1e-6)


def test_directions_that_are_not_spanned_are_left_out() -> None:
    x, pairs = walk()
    found = linear_sfa(np.concatenate([x, x[:, :2]], 1), pairs)
    assert found.weight.shape == (8, 6)


def test_slowness_is_nought_of_what_stands_still_and_two_of_noise() -> None:
    rng, pairs = np.random.default_rng(0), np.stack([np.arange(9999), np.arange(1, 10000)], 1)
    assert slowness(np.ones((10000, 3)), pairs) == 0
    assert slowness(rng.normal(size=(10000, 3)), pairs) == pytest.approx(2, abs=0.05)
    x, pairs = walk()
    slow = linear_sfa(x, pairs)
    assert slowness(slow.transform(x)[:, :1], pairs) == pytest.approx(slow.slowness[0], rel=1e-6)


@pytest.mark.parametrize(
    ("z", "rank", "collapsed"),
    [
        (np.random.default_rng(0).normal(size=(500, 8)), 8, False),
        (5 + 1e-4 * np.random.default_rng(0).normal(size=(500, 8)), 8, True),
        (np.random.default_rng(0).normal(size=(500, 1)) * np.ones(8), 1, True),
        (np.zeros((5, 3)), 1, True),
    ],
    ids=["spread", "a point", "a line", "nothing"],
)
def test_collapse_is_seen(z: np.ndarray, rank: float, collapsed: bool) -> None:
    found = spread_of(z)
    assert found.rank == pytest.approx(rank, rel=0.02)
    assert found.collapsed is collapsed
