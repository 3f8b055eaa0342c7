"""What every row of the table keeps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from headstart.errors import DataError
from headstart.evidence.transferability import SCORES

FEATURES = [name for name, row in SCORES.items() if row.needs == "features"]
MEANS = [name for name, row in SCORES.items() if row.contributions is not None]
ROTATED = ["neighbours", "logme", "h_score", "transrate", "gbc"]
SCALED = ["loo_ridge", "neighbours", "logme", "h_score", "gbc", "parc"]
SHIFTED = ["loo_ridge", "h_score", "transrate", "gbc", "parc"]
UNMOVED = {"rel": 1e-6, "abs": 1e-7}


def problem(name: str, *, n: int = 90, d: int = 40, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """What the score takes, with classes that lie apart."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    z = 1.5 * rng.normal(size=(k, d))[y] + rng.normal(size=(n, d))
    if SCORES[name].needs == "features":
        return z, y
    return np.exp(z) / np.exp(z).sum(1, keepdims=True), y


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("d", [1, 5, 200])
def test_is_finite_and_the_same_again(name: str, d: int) -> None:
    z, y = problem(name, d=d)
    first = SCORES[name].function(z, y)
    assert isinstance(first, float) and np.isfinite(first)
    assert SCORES[name].function(z, y) == first


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("d", [40, 200])
def test_the_order_of_images_and_the_names_of_classes_do_not_matter(name: str, d: int) -> None:
    z, y = problem(name, d=d)
    order = np.random.default_rng(1).permutation(len(y))
    moved = SCORES[name].function(z[order], np.array([9, 2, 5])[y[order]])
    assert moved == pytest.approx(SCORES[name].function(z, y), **UNMOVED)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("d", [40, 200])
def test_classes_that_lie_apart_score_above_shuffled_labels(name: str, d: int) -> None:
    z, y = problem(name, d=d)
    shuffled = [SCORES[name].function(z, np.random.default_rng(s).permutation(y)) for s in range(5)]
    assert SCORES[name].function(z, y) > max(shuffled)


@pytest.mark.parametrize("name", ROTATED)
def test_rotations_do_not_matter(name: str) -> None:
    z, y = problem(name)
    turn = ortho_group.rvs(z.shape[1], random_state=0)
    assert SCORES[name].function(z @ turn, y) == pytest.approx(SCORES[name].function(z, y), **UNMOVED)


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_the_unit_of_the_features_does_not_matter(name: str, factor: float) -> None:
    z, y = problem(name)
    assert SCORES[name].function(factor * z, y) == pytest.approx(SCORES[name].function(z, y), **UNMOVED)


@pytest.mark.parametrize("name", SHIFTED)
def test_the_origin_of_the_features_does_not_matter(name: str) -> None:
    z, y = problem(name)
    shift = np.full(40, 3.0) if name == "parc" else np.linspace(-3, 5, 40)
    assert SCORES[name].function(z + shift, y) == pytest.approx(SCORES[name].function(z, y), **UNMOVED)


@pytest.mark.parametrize("name", FEATURES)
def test_features_that_say_nothing_are_harmless(name: str) -> None:
    z, y = problem(name)
    for constant in (0.0, 2.5):
        assert np.isfinite(SCORES[name].function(np.full_like(z, constant), y))
    dead = np.column_stack([z, np.zeros(len(z))])
    assert np.isfinite(SCORES[name].function(dead.astype("f4"), y))
    assert np.isfinite(SCORES[name].function(np.repeat(z[:3], 30, axis=0), np.repeat([0, 1, 2], 30)))


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_over_images_is_the_score(name: str) -> None:
    row = SCORES[name]
    z, y = problem(name)
    assert row.contributions is not None
    assert row.contributions(z, y).shape == y.shape
    assert row.contributions(z, y).mean() == pytest.approx(row.function(z, y), abs=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_what_cannot_be_scored_is_refused_with_a_remedy(name: str) -> None:
    z, y = problem(name)
    broken = z.copy()
    broken[3, 3] = np.nan
    lone = np.where(np.arange(90) == 7, 8, y)
    cases = [(z, np.zeros(90, int)), (z, lone), (broken, y), (z[:80], y), (z[:, :0], y)]
    for features, labels in cases:
        with pytest.raises(DataError) as caught:
            SCORES[name].function(features, labels)
        assert caught.value.fact.endswith(".") and caught.value.remedy.endswith(".")


@pytest.mark.parametrize("name", [name for name in SCORES if name not in FEATURES])
def test_logits_are_not_probabilities(name: str) -> None:
    z, y = problem(name)
    with pytest.raises(DataError, match="not probabilities"):
        SCORES[name].function(np.log(z), y)
