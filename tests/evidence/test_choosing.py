"""What choosing adds to a value, and the value without it."""

import numpy as np
import pytest

from headstart.evidence import METRICS, best_of, interval, luck_of_choosing


def flips(rng: np.random.Generator, y: np.ndarray, right: float) -> np.ndarray:
    return np.where(rng.random(len(y)) < right, y, 1 - y)


def test_one_group_can_not_be_corrected() -> None:
    y = np.array([0, 1, 1])
    assert best_of(y, {"a": y}, np.zeros(3)).low is None
    assert luck_of_choosing(y, {"a": y, "b": 1 - y}, np.zeros(3)) == 0


@pytest.mark.parametrize("candidates", [5, 20])
def test_the_best_of_pure_noise_is_corrected(candidates: int) -> None:
    rng, naive, corrected, hits = np.random.default_rng(5), [], [], 0
    for seed in range(60):
        y = rng.integers(2, size=100)
        predictions = {str(i): flips(rng, y, 0.7) for i in range(candidates)}
        found = best_of(y, predictions, np.arange(100), resamples=200, seed=seed)
        naive.append(max(np.mean(p == y) for p in predictions.values()))
        corrected.append(found.value)
        hits += found.low <= 0.7 <= found.high
        assert found.value <= naive[-1] and found.low <= found.value <= found.high
    assert np.mean(naive) > 0.74
    assert abs(np.mean(corrected) - 0.7) < 0.015
    assert hits >= 0.9 * 60


@pytest.mark.parametrize("metric", METRICS)
def test_a_lone_candidate_needs_no_correction(metric: str) -> None:
    rng = np.random.default_rng(6)
    y = rng.integers(2, size=100)
    predicted = flips(rng, y, 0.7)
    assert best_of(y, {"a": predicted}, np.arange(100), metric=metric) == interval(
        y, predicted, np.arange(100), metric=metric
    )


def test_a_choice_among_some_that_came_before_a_choice_among_others_is_taken_off_too() -> None:
    rng, naive, corrected = np.random.default_rng(8), [], []
    for seed in range(60):
        y, groups = rng.integers(2, size=100), np.arange(100)
        networks = {str(i): flips(rng, y, 0.7) for i in range(5)}
        best = max(networks.values(), key=lambda p: np.mean(p == y))
        # The same network by another strategy, and one that is worse: the network was chosen before.
        again = {"head": best, "whole": flips(rng, y, 0.5)}
        luck = luck_of_choosing(y, networks, groups, resamples=200, seed=seed)
        naive.append(best_of(y, again, groups, resamples=200, seed=seed).value)
        corrected.append(best_of(y, again, groups, resamples=200, seed=seed, luck=luck).value)
    assert np.mean(naive) > 0.74
    assert abs(np.mean(corrected) - 0.7) < 0.015


def test_one_that_always_wins_owes_nothing_to_luck() -> None:
    rng = np.random.default_rng(9)
    y = rng.integers(2, size=200)
    assert luck_of_choosing(y, {"all": y, "none": 1 - y}, np.arange(200)) == 0
    assert luck_of_choosing(y, {"alone": flips(rng, y, 0.6)}, np.arange(200)) == 0
