import numpy as np
import pytest

from headstart.evidence.conditional import clustered_mean, conditional_test
from headstart.evidence.crossing_heads import best_penalty, cross_fitted


def drawn(n: int, *, seed: int, moved: float = 0.0, turned: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels by one rule in both domains, or by its opposite in the target; features moved in the target."""
    rng = np.random.default_rng(seed)
    domain = np.repeat([0, 1], n)
    z = rng.normal(size=(2 * n, 6))
    chance = 1 / (1 + np.exp(-3 * z[:, 0]))
    y = (rng.random(2 * n) < chance).astype(np.int64)
    if turned:
        y[domain == 1] = 1 - y[domain == 1]
    z[domain == 1, 1] += moved
    return z, y, domain


def found(z: np.ndarray, y: np.ndarray, domain: np.ndarray):  # type: ignore[no-untyped-def]
    return conditional_test(z, y, domain, groups=np.arange(len(y)), fold=np.arange(len(y)) % 5)


def test_a_changed_rule_is_seen() -> None:
    one = found(*drawn(150, seed=0, turned=True))
    assert one.gain.low > 0.1 and one.accuracy.low > 0.1 and one.two > 0.75


@pytest.mark.parametrize("moved", [0.0, 5.0])
def test_the_same_rule_is_not_seen_to_differ_however_far_the_features_moved(moved: float) -> None:
    one = found(*drawn(150, seed=1, moved=moved))
    assert one.gain.low < 0 and one.accuracy.low < 0.02 and one.n == 300


def test_another_prior_is_no_other_rule() -> None:
    z, y, domain = drawn(300, seed=2)
    kept = (domain == 0) | (y == 0) | (np.arange(600) % 4 == 0)
    one = found(z[kept], y[kept], domain[kept])
    assert one.gain.low < 0 and one.accuracy.value < 0.03


def test_a_mean_by_group_has_the_error_of_its_groups() -> None:
    rng = np.random.default_rng(3)
    each = rng.normal(size=50)
    one, copied = (
        clustered_mean(np.repeat(each, times), np.repeat(np.arange(50), times), level=0.95) for times in (1, 4)
    )
    assert (one.low, one.high) == pytest.approx((copied.low, copied.high))
    assert clustered_mean(each, np.zeros(50, dtype=int), level=0.95).low is None


def test_no_head_meets_a_group_that_it_was_fitted_to() -> None:
    rng = np.random.default_rng(4)
    z, y = rng.normal(size=(40, 60)), rng.integers(2, size=40)
    twins, fold = np.concatenate([z, z]), np.tile(np.arange(40) % 5, 2)
    logits = cross_fitted(twins, np.tile(y, 2), np.arange(80) < 40, fold, 2)
    assert np.allclose(logits[:, :40], logits[:, 40:])
    assert (logits[0, 40:].argmax(axis=1) == y).mean() < 0.8
    assert best_penalty(logits, np.tile(y, 2), np.arange(80) < 40) in (0, 1, 2)
