import numpy as np
import pytest

from headstart.evidence.bias_corrected import bias_corrected
from headstart.evidence.priors import bbse, class_shares, em, estimated_priors, told_by_class
from headstart.evidence.two_sample import Told, permutations


def test_bbse_by_hand() -> None:
    """Of class 0, 8 in 10 are named so, of class 1, 6 in 10; the target is named 0 in 5 of 10 cases."""
    y = np.repeat([0, 1], 10)
    source = np.eye(2)[np.array([0] * 8 + [1] * 2 + [0] * 4 + [1] * 6)]
    target = np.eye(2)[[0] * 5 + [1] * 5]
    # C = [[.4, .2], [.1, .3]], mu = [.5, .5]: w = C⁻¹ mu = [.5, 1.5], q = w p = [.25, .75].
    assert bbse(y, source, target) == pytest.approx([0.25, 0.75])


def test_em_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([1, 2, 3], size=40)
    prior = np.array([0.2, 0.3, 0.5])
    q = prior.copy()
    for _ in range(300):
        posterior = np.array([[q[j] / prior[j] * row[j] for j in range(3)] for row in shares])
        posterior = np.array([row / row.sum() for row in posterior])
        q = posterior.mean(axis=0)
    assert em(shares, prior) == pytest.approx(q, abs=1e-3)


def gaussians(n: int, shares: tuple[float, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = (rng.random(n) < shares[1]).astype(np.int64)
    x = rng.normal(size=n) + 2.0 * y
    return y, np.stack([-2 * (x - 1), 2 * (x - 1)], axis=1) / 2


def test_a_built_prior_is_found_within_its_interval() -> None:
    rng = np.random.default_rng(1)
    y, logits = gaussians(800, (0.5, 0.5), rng)
    truth, others = gaussians(800, (0.2, 0.8), rng)
    source, target = bias_corrected(logits, y, others)
    for found in estimated_priors(y, source, target, groups=np.arange(1600)):
        assert found.low[1] <= truth.mean() <= found.high[1] and found.high[1] - found.low[1] < 0.2
        assert found.distance_low <= 0.15 <= found.distance_high and found.distance_low > 0.05


def test_without_a_shift_the_distance_is_about_nought() -> None:
    rng = np.random.default_rng(2)
    distances = []
    for _ in range(20):
        y, logits = gaussians(300, (0.5, 0.5), rng)
        source, target = bias_corrected(logits, y, gaussians(300, (0.5, 0.5), rng)[1])
        found = estimated_priors(y, source, target, groups=np.arange(600), resamples=50)[0]
        distances.append(found.distance_low)
    assert sum(low > 0 for low in distances) <= 4


def test_calibrated_probabilities_are_right_on_average() -> None:
    rng = np.random.default_rng(3)
    y, logits = gaussians(400, (0.9, 0.1), rng)
    source, _ = bias_corrected(5 * logits + [3.0, 0.0], y, logits)
    assert source.mean(axis=0) == pytest.approx([(y == 0).mean(), (y == 1).mean()], abs=0.01)
    assert source.sum(axis=1) == pytest.approx(np.ones(400))


def test_shares_and_their_difference() -> None:
    y, domain = np.repeat([0, 1, 0, 1], [60, 40, 20, 80]), np.repeat([0, 1], 100)
    shares, low, high = class_shares(y, domain, 2, groups=np.arange(200))
    assert shares.tolist() == [[0.6, 0.4], [0.2, 0.8]]
    error = np.sqrt(0.6 * 0.4 / 100 + 0.2 * 0.8 / 100)
    assert low[1] == pytest.approx(0.4 - 1.96 * error, abs=0.02) and high[1] == pytest.approx(
        0.4 + 1.96 * error, abs=0.02
    )


def told(y: np.ndarray, domain: np.ndarray, k: int, seed: int = 0) -> Told:
    groups = np.arange(len(y))
    permuted = permutations(domain, groups, groups % 5, count=99, seed=seed)
    return told_by_class(y, domain, k, groups=groups, permuted=permuted, seed=seed)


def test_equal_priors_are_told_apart_at_chance_never_below() -> None:
    found = told(np.tile(np.repeat(np.arange(10), 40), 2), np.repeat([0, 1], 400), 10)
    assert found.value == found.low == 0.5 and 0.5 < found.high < 0.53 and found.p == 1


def test_a_built_prior_is_told_by_its_size() -> None:
    """3 : 1 against 1 : 3: whoever guesses by the class is right in three of four cases."""
    found = told(np.repeat([0, 1, 0, 1], [150, 50, 50, 150]), np.repeat([0, 1], 200), 2)
    assert found.value == pytest.approx(0.75, abs=0.01) and 0.66 < found.low < 0.73 and 0.77 < found.high < 0.84


def test_without_a_shift_of_the_prior_none_is_shown() -> None:
    found = []
    for seed in range(60):
        y = np.random.default_rng(seed).integers(10, size=400)
        found.append(told(y, np.repeat([0, 1], 200), 10, seed))
    assert sum(one.low > 0.5 for one in found) <= 6 and sum(one.p <= 0.05 for one in found) <= 8
