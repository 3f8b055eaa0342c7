"""Every score against a slow transcription of its formula: loops, explicit inverses, direct eigenvectors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import Ridge

from headstart.evidence.transferability import SCORES

SHAPES = [(60, 8, 3), (48, 30, 4), (30, 70, 3), (40, 130, 6)]
Problem = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(params=[(shape, seed) for shape in SHAPES for seed in (0, 1)], ids=str)
def problem(request: pytest.FixtureRequest) -> Problem:
    """Features, source probabilities and labels, of classes of unequal size, some with fewer images than features."""
    (n, d, k), seed = request.param
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(np.arange(k), 2), rng.integers(k - 1, size=n - 2 * k)])
    z = rng.normal(size=(k, d))[y] * 0.7 + rng.normal(size=(n, d)) * rng.uniform(0.3, 2, d) + rng.normal(size=d)
    logits = 2 * rng.normal(size=(k, 7))[y] + rng.normal(size=(n, 7))
    return z, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), y


def evidence(z: np.ndarray, t: np.ndarray, alpha: float, beta: float) -> float:
    n, d = z.shape
    a = alpha * np.eye(d) + beta * z.T @ z
    m = beta * np.linalg.inv(a) @ z.T @ t
    return float(
        n / 2 * np.log(beta)
        + d / 2 * np.log(alpha)
        - n / 2 * np.log(2 * np.pi)
        - beta / 2 * np.sum((z @ m - t) ** 2)
        - alpha / 2 * np.sum(m**2)
        - np.linalg.slogdet(a)[1] / 2
    )


def test_logme_is_the_maximum_of_the_evidence(problem: Problem) -> None:
    z, _, y = problem
    total = 0.0
    for c in np.unique(y):
        t = (y == c).astype(float)

        def lacking(p: np.ndarray, t: np.ndarray = t) -> float:
            return -evidence(z, t, *np.exp(np.clip(p, -25, 25)))

        starts = [(0.0, 0.0), (2.0, 2.0), (4.0, 0.0), (8.0, 2.0)]
        near = min((minimize(lacking, s, method="Nelder-Mead", tol=1e-2) for s in starts), key=lambda found: found.fun)
        total -= minimize(lacking, near.x, method="Nelder-Mead", tol=1e-10).fun / len(y)
    assert SCORES["logme"].function(z, y) == pytest.approx(total / len(np.unique(y)), abs=1e-6)


def test_logme_is_the_fixed_point_with_explicit_inverses(problem: Problem) -> None:
    z, _, y = problem
    z = z[:, : len(y) // 2]  # where images are fewer than features, n − γ is lost to rounding
    values, (n, d) = [], z.shape
    spectrum = np.linalg.svd(z, compute_uv=False) ** 2
    for c in np.unique(y):
        t, alpha, beta = (y == c).astype(float), np.mean(z**2) * n, 1.0
        for _ in range(1000):
            if alpha / beta > 1e10:  # the evidence is flat, and the next step overflows
                break
            m = beta * np.linalg.solve(alpha * np.eye(d) + beta * z.T @ z, z.T @ t)
            gamma = sum(beta * s / (alpha + beta * s) for s in spectrum)
            alpha, beta = gamma / np.sum(m**2), (n - gamma) / np.sum((z @ m - t) ** 2)
        values.append(evidence(z, t, alpha, beta) / n)
    assert SCORES["logme"].function(z, y) == pytest.approx(np.mean(values), abs=1e-6)


def slow_leep(theta: np.ndarray, y: np.ndarray) -> float:
    n, sources = theta.shape
    joint = {(c, s): sum(theta[i, s] for i in range(n) if y[i] == c) / n for c in np.unique(y) for s in range(sources)}
    total = 0.0
    for i in range(n):
        chance = 0.0
        for s in range(sources):
            marginal = sum(joint[c, s] for c in np.unique(y))
            chance += theta[i, s] * joint[y[i], s] / marginal if marginal else 0.0
        total += np.log(chance)
    return total / n


def test_leep(problem: Problem) -> None:
    _, theta, y = problem
    assert SCORES["leep"].function(theta, y) == pytest.approx(slow_leep(theta, y), abs=1e-9)


def test_nce_is_a_conditional_entropy(problem: Problem) -> None:
    _, theta, y = problem
    source, expected = theta.argmax(1), 0.0
    for s in np.unique(source):
        own = y[source == s]
        shares = [np.mean(own == c) for c in np.unique(own)]
        expected += len(own) / len(y) * sum(p * np.log(p) for p in shares)
    assert SCORES["nce"].function(theta, y) == pytest.approx(expected, abs=1e-9)


def test_leep_is_nce_where_the_source_is_certain(problem: Problem) -> None:
    _, theta, y = problem
    certain = np.eye(theta.shape[1])[theta.argmax(1)]
    assert SCORES["leep"].function(certain, y) == pytest.approx(SCORES["nce"].function(certain, y), abs=1e-12)


def test_leep_is_below_the_likelihood_of_the_best_mixture(problem: Problem) -> None:
    """LEEP's conditional is one of those that expectation-maximisation climbs from (Nguyen et al., property 1)."""
    _, theta, y = problem
    conditional = np.stack([theta[y == c].sum(0) for c in range(y.max() + 1)]) / theta.sum(0)
    for _ in range(20):
        weight = conditional[y] * theta
        weight /= weight.sum(1, keepdims=True)
        conditional = np.stack([weight[y == c].sum(0) for c in range(y.max() + 1)]) / weight.sum(0)
    climbed = np.log((conditional[y] * theta).sum(1)).mean()
    assert SCORES["leep"].function(theta, y) <= climbed


Mixture = tuple[np.ndarray, np.ndarray, np.ndarray]


def maximisation(x: np.ndarray, theta: np.ndarray) -> Mixture:
    """Shares, means and variances of Gaussians with diagonal covariances; a millionth is added to each variance."""
    shares, means, variances = [], [], []
    for weight in theta.T:
        shares.append(weight.sum() / len(x))
        means.append(sum(w * row for w, row in zip(weight, x, strict=True)) / weight.sum())
        spread = sum(w * (row - means[-1]) ** 2 for w, row in zip(weight, x, strict=True)) / weight.sum()
        variances.append(spread + 1e-6)
    return np.array(shares), np.array(means), np.array(variances)


def expectation(x: np.ndarray, mixture: Mixture) -> tuple[np.ndarray, float]:
    """Responsibilities of the Gaussians for each row, and the mean log-likelihood."""
    theta, total = [], 0.0
    for row in x:
        logs = np.array(
            [
                np.log(share) - 0.5 * np.sum((row - mean) ** 2 / variance + np.log(2 * np.pi * variance))
                for share, mean, variance in zip(*mixture, strict=True)
            ]
        )
        chance = logs.max() + np.log(np.exp(logs - logs.max()).sum())
        theta.append(np.exp(logs - chance))
        total += chance
    return np.array(theta), total / len(x)


def slow_responsibilities(x: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Expectation-maximisation from hard clusters, until a step brings less than a thousandth of a nat an image."""
    mixture, before = maximisation(x, np.eye(start.max() + 1)[start]), -np.inf
    for _ in range(100):
        theta, likelihood = expectation(x, mixture)
        mixture = maximisation(x, theta)
        if abs(likelihood - before) < 1e-3:
            break
        before = likelihood
    return expectation(x, mixture)[0]


def test_nleep_is_leep_of_the_responsibilities(problem: Problem) -> None:
    z, _, y = problem
    centred = z - z.mean(0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(z))
    variances, axes = variances[::-1], axes[:, ::-1]
    r = next(r for r in range(1, len(variances) + 1) if variances[:r].sum() > 0.8 * variances.sum())
    x = centred @ axes[:, :r] / np.sqrt(variances[0])
    order = sorted(range(len(z)), key=lambda i: tuple(z[i][::-1]))
    clusters = min(5 * len(np.unique(y)), len(z) // 2)
    # Where EM climbs to depends on its start, so that this alone is the library's own.
    start = KMeans(clusters, n_init=1, random_state=0).fit(x[order]).labels_
    theta = np.empty((len(z), clusters))
    theta[order] = slow_responsibilities(x[order], start)
    assert SCORES["nleep"].function(z, y) == pytest.approx(slow_leep(theta, y), abs=1e-6)


def test_h_score_with_an_explicit_inverse(problem: Problem) -> None:
    z, _, y = problem
    covariance, shrinkage = ledoit_wolf(z)
    means = np.stack([z[y == y[i]].mean(0) for i in range(len(y))])
    between = np.cov(means.T, bias=True)
    expected = (1 - shrinkage) * np.trace(np.linalg.inv(covariance) @ between)
    assert SCORES["h_score"].function(z, y) == pytest.approx(expected, rel=1e-6)


def test_transrate_by_singular_values(problem: Problem) -> None:
    z, _, y = problem

    def rate(rows: np.ndarray) -> float:
        return float(0.5 * sum(np.log(1 + s**2 / len(rows) / 1e-4) for s in np.linalg.svd(rows, compute_uv=False)))

    centred = z - z.mean(0)
    expected = rate(centred) - sum(np.mean(y == c) * rate(centred[y == c]) for c in np.unique(y))
    assert SCORES["transrate"].function(z, y) == pytest.approx(expected, rel=1e-6)


def test_gbc_over_pairs(problem: Problem) -> None:
    z, _, y = problem
    variances, axes = np.linalg.eigh(np.cov(z.T))
    x = (z - z.mean(0)) @ axes[:, variances > 1e-9 * variances[-1]][:, -64:]
    p, total = x.shape[1], 0.0
    for a, b in combinations(np.unique(y), 2):
        one, two = x[y == a], x[y == b]
        covariances = [np.eye(p) * np.mean(np.var(each, axis=0)) for each in (one, two)]
        middle, gap = sum(covariances) / 2, one.mean(0) - two.mean(0)
        logs = [np.linalg.slogdet(each)[1] for each in (middle, *covariances)]
        distance = gap @ np.linalg.inv(middle) @ gap / 8 + (logs[0] - (logs[1] + logs[2]) / 2) / 2
        total -= 2 * np.exp(-distance)
    assert SCORES["gbc"].function(z, y) == pytest.approx(total, rel=1e-6, abs=1e-9)


def test_parc_over_pairs(problem: Problem) -> None:
    z, _, y = problem
    labels = np.eye(y.max() + 1)[y]
    pairs = list(combinations(range(len(y)), 2))
    unlike = [1 - np.corrcoef(z[i], z[j])[0, 1] for i, j in pairs]
    apart = [round(1 - np.corrcoef(labels[i], labels[j])[0, 1], 9) for i, j in pairs]
    assert SCORES["parc"].function(z, y) == pytest.approx(spearmanr(unlike, apart).statistic, abs=1e-6)


def test_neighbours_image_by_image(problem: Problem) -> None:
    z, _, y = problem
    right = 0
    for i in range(len(y)):
        cosines = [(z[i] @ z[j] / np.sqrt(z[i] @ z[i] * (z[j] @ z[j])), y[j]) for j in range(len(y)) if j != i]
        nearest = sorted(cosines)[-5:]
        votes = [
            (sum(c == label for _, label in nearest), sum(s for s, label in nearest if label == c))
            for c in range(y.max() + 1)
        ]
        right += votes.index(max(votes)) == y[i]
    assert SCORES["neighbours"].function(z, y) == pytest.approx(right / len(y))


def test_loo_ridge_leaves_every_image_out_in_turn(problem: Problem) -> None:
    z, _, y = problem
    x = (z - z.mean(0)) / z.std(0)
    targets = np.eye(y.max() + 1)[y]
    best = 0.0
    for penalty in np.logspace(0, 6, 13):
        right = 0
        for i in range(len(y)):
            rest = np.arange(len(y)) != i
            fitted = Ridge(alpha=penalty, solver="cholesky").fit(x[rest], targets[rest])
            right += int(fitted.predict(x[i : i + 1])[0].argmax()) == y[i]
        best = max(best, right / len(y))
    assert SCORES["loo_ridge"].function(z, y) == pytest.approx(best)
