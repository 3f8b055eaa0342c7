"""Scores without target labels against double loops over their papers' formulas, and the distance of domains."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headstart.evidence.distance import discrepancy
from headstart.evidence.label_free import VALIDATORS, Seen

RNG = np.random.default_rng(0)


def shares(n: int, k: int) -> np.ndarray:
    """Return rows of probabilities."""
    drawn = RNG.gamma(0.7, size=(n, k)) + 1e-3
    return drawn / drawn.sum(1, keepdims=True)


SEEN = Seen(shares(30, 4), shares(20, 4), RNG.integers(4, size=20), RNG.gamma(2.0, size=20))


def losses() -> list[float]:
    """Return every held image's log loss."""
    return [-math.log(SEEN.source[i][SEEN.y[i]]) for i in range(20)]


def test_importance_weighted_validation() -> None:
    expected = -sum(w * loss for w, loss in zip(SEEN.weights, losses(), strict=True)) / 20
    assert VALIDATORS["iwv"].function(SEEN) == pytest.approx(expected, abs=1e-9)


def test_deep_embedded_validation() -> None:
    weighted = [w * loss for w, loss in zip(SEEN.weights, losses(), strict=True)]
    mean_l, mean_w = sum(weighted) / 20, sum(SEEN.weights) / 20
    covariance = sum((a - mean_l) * (b - mean_w) for a, b in zip(weighted, SEEN.weights, strict=True)) / 19
    variance = sum((b - mean_w) ** 2 for b in SEEN.weights) / 19
    eta = -covariance / variance
    assert VALIDATORS["dev"].function(SEEN) == pytest.approx(-(mean_l + eta * mean_w - eta), abs=1e-9)


def test_entropy() -> None:
    expected = sum(p * math.log(p) for row in SEEN.target for p in row) / 30
    assert VALIDATORS["entropy"].function(SEEN) == pytest.approx(expected, abs=1e-9)


def test_soft_neighbourhood_density() -> None:
    total = 0.0
    for i in range(30):
        similar = []
        for j in range(30):
            if j != i:
                a, b = SEEN.target[i], SEEN.target[j]
                similar.append(math.exp(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)) / 0.05))
        p = [one / sum(similar) for one in similar]
        total -= sum(one * math.log(one) for one in p if one > 0)
    assert VALIDATORS["snd"].function(SEEN) == pytest.approx(total / 30, abs=1e-9)


def test_class_correlation() -> None:
    c = [[sum(row[a] * row[b] for row in SEEN.target) / 30 for b in range(4)] for a in range(4)]
    size = math.sqrt(sum(one**2 for row in c for one in row))
    expected = sum(c[a][a] for a in range(4)) / (size * 2)
    assert VALIDATORS["corr_c"].function(SEEN) == pytest.approx(expected, abs=1e-9)


def test_a_collapsed_model_is_sure_and_does_not_correlate() -> None:
    one = np.tile([0.97, 0.01, 0.01, 0.01], (30, 1))
    collapsed = Seen(one, SEEN.source, SEEN.y, SEEN.weights)
    sure = Seen(np.eye(4)[np.arange(30) % 4] * 0.96 + 0.01, SEEN.source, SEEN.y, SEEN.weights)
    score = {name: row.function for name, row in VALIDATORS.items()}
    assert score["entropy"](collapsed) == pytest.approx(score["entropy"](sure))
    assert score["snd"](collapsed) > score["snd"](sure)  # why neither has a vote
    assert score["corr_c"](collapsed) < 0.6 < score["corr_c"](sure)


def test_every_validator_says_what_it_rests_on() -> None:
    assert all(row.rests_on and row.paper and len(row.title) < 25 for row in VALIDATORS.values())


def test_the_discrepancy_against_double_loops() -> None:
    x, y, w = RNG.normal(size=(12, 3)), RNG.normal(size=(9, 3)) + 1, RNG.gamma(2.0, size=12)
    both = np.concatenate([x, y])
    apart = [float(((a - b) ** 2).sum()) for i, a in enumerate(both) for b in both[i + 1 :]]
    scale = 2 * float(np.median(apart))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-float(((a - b) ** 2).sum()) / scale)

    for weights in (np.ones(12), w):
        pairs = [(i, j) for i in range(12) for j in range(12) if i != j]
        inside = sum(weights[i] * weights[j] * k(x[i], x[j]) for i, j in pairs)
        inside /= sum(weights[i] * weights[j] for i, j in pairs)
        theirs = sum(k(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / (9 * 8)
        across = sum(weights[i] * k(x[i], y[j]) for i in range(12) for j in range(9)) / (weights.sum() * 9)
        expected = math.sqrt(max(inside + theirs - 2 * across, 0.0))
        assert discrepancy(x, y, weights=weights) == pytest.approx(expected, abs=1e-9)


def test_the_discrepancy_does_not_depend_on_the_scale() -> None:
    x, y = RNG.normal(size=(60, 3)), RNG.normal(size=(50, 3)) + 1
    assert discrepancy(1000 * x, 1000 * y) == pytest.approx(discrepancy(x, y))
    assert discrepancy(np.zeros((5, 2)), np.zeros((6, 2))) == pytest.approx(0, abs=1e-6)
