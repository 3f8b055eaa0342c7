"""Every head against an independent transcription of its formula, or against scikit-learn."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from headstart.shallow.centroid import CentroidHead
from headstart.shallow.discriminant import LDAHead
from headstart.shallow.logistic import LogisticHead
from headstart.shallow.neighbours import NeighboursHead
from headstart.shallow.ridge import RidgeHead


def example(n: int, d: int, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(k, size=n, p=np.arange(1, k + 1) / sum(range(1, k + 1)))
    z = (rng.normal(size=(k, d))[y] * 0.5 + rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d) + 1).astype(np.float32)
    mean, scale = z.mean(0, dtype=float), z.std(0, dtype=float)
    return z, y, (z - mean) / scale


shapes = pytest.mark.parametrize(("n", "d"), [(150, 10), (60, 120)])


@shapes
def test_ridge_is_scikit_learns(n: int, d: int) -> None:
    z, y, standard = example(n, d)
    expected = Ridge(alpha=30.0).fit(standard, np.eye(3)[y]).predict(standard)
    np.testing.assert_allclose(RidgeHead(30.0).fit(z, y).decision_function(z), expected, atol=1e-5)


@shapes
@pytest.mark.parametrize("penalty", [100.0, 1.0])
@pytest.mark.parametrize("balanced", [None, "balanced"])
def test_logistic_reaches_scikit_learns_loss(n: int, d: int, penalty: float, balanced: str | None) -> None:
    z, y, standard = example(n, d)
    weights = (n / (3 * np.bincount(y)))[y] if balanced else np.ones(n)
    scale = z.std(0, dtype=float)

    def loss(weight: np.ndarray, logits: np.ndarray) -> float:
        own = logits[np.arange(n), y] - np.log(np.exp(logits).sum(1))
        return float((-weights @ own + penalty / 2 * np.square(weight).sum()) / n)

    expected = LogisticRegression(C=1 / penalty, class_weight=balanced, tol=1e-10, max_iter=10_000).fit(standard, y)
    head = LogisticHead(penalty, class_weight=balanced, max_iter=1000).fit(z, y)
    found = loss(head.weight_ * scale, head.decision_function(z).astype(float))
    assert found == pytest.approx(loss(expected.coef_, expected.decision_function(standard)), abs=1e-4)


@shapes
def test_a_path_is_shorter_and_goes_through_the_same_places(n: int, d: int) -> None:
    z, y, _ = example(n, d)
    penalties = [1000.0, 30.0, 10.0]
    cold = [LogisticHead(penalty, max_iter=1000).fit(z, y) for penalty in penalties]
    steps = []
    for head, expected in zip(LogisticHead(max_iter=1000).path(z, y, penalties), cold, strict=True):
        assert head.penalty == expected.penalty
        np.testing.assert_allclose(head.predict_proba(z), expected.predict_proba(z), atol=0.01)
        steps.append(head.n_iter_)
    assert sum(steps) < sum(head.n_iter_ for head in cold)


@shapes
@pytest.mark.parametrize("balanced", [None, "balanced"])
def test_discriminant_is_the_formula_and_scikit_learns(n: int, d: int, balanced: str | None) -> None:
    z, y, standard = example(n, d)
    means = np.stack([standard[y == c].mean(0) for c in range(3)])
    within = standard - means[y]
    head = LDAHead(class_weight=balanced).fit(z, y)
    covariance, shrinkage = ledoit_wolf(within, assume_centered=True)
    assert head.shrinkage_ == pytest.approx(shrinkage, rel=1e-6)
    priors = np.full(3, 1 / 3) if balanced else np.bincount(y) / n
    inverse = np.linalg.inv(covariance)
    expected = standard @ inverse @ means.T - np.einsum("cd,de,ce->c", means, inverse, means) / 2 + np.log(priors)
    np.testing.assert_allclose(head.decision_function(z), expected, atol=1e-3)


def test_discriminant_without_shrinkage_is_scikit_learns() -> None:
    z, y, standard = example(150, 10)
    expected = LinearDiscriminantAnalysis("lsqr").fit(standard, y).predict_proba(standard)
    np.testing.assert_allclose(LDAHead(0.0).fit(z, y).predict_proba(z), expected, atol=1e-4)


@shapes
def test_centroid_is_scikit_learns(n: int, d: int) -> None:
    z, y, standard = example(n, d)
    head = CentroidHead().fit(z, y)
    assert (head.predict(z) == NearestCentroid().fit(standard, y).predict(standard)).mean() > 0.99
    means = np.stack([standard[y == c].mean(0) for c in range(3)])
    distance = -np.square(standard[:, None] - means).sum(2) / 2 / np.sqrt(d)
    logits = head.decision_function(z)
    np.testing.assert_allclose(logits - logits[:, :1], distance - distance[:, :1], atol=1e-4)


def test_neighbours_are_scikit_learns() -> None:
    z, y, _ = example(150, 10)
    fresh = example(40, 10, seed=1)[0]
    votes = KNeighborsClassifier(7, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07)).fit(z, y)
    expected = 7 * votes.predict_proba(fresh) + 0.5
    np.testing.assert_allclose(
        NeighboursHead(7).fit(z, y).predict_proba(fresh), expected / expected.sum(1, keepdims=True), atol=1e-5
    )


def test_balanced_ridge_repeats_the_rare_class() -> None:
    z, y, _ = example(60, 5, k=2)
    counts = np.bincount(y)
    # Whole-number weights that balance: every row of a class as often as the other class has rows.
    times = counts[1 - y]
    repeated = RidgeHead(10.0 * times.mean()).fit(np.repeat(z, times, axis=0), np.repeat(y, times))
    balanced = RidgeHead(10.0, class_weight="balanced").fit(z, y)
    np.testing.assert_allclose(balanced.decision_function(z), repeated.decision_function(z), atol=1e-5)


def test_a_row_that_counts_twice_is_a_row_that_is_there_twice() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 3
    times = 1 + np.arange(40) % 2
    twice = RidgeHead(7.0).fit(np.repeat(z, times, axis=0), np.repeat(y, times))
    counted = RidgeHead(7.0).fit_weighted(z, y, times.astype(float))
    assert np.allclose(counted.weight_, twice.weight_, atol=1e-5)
