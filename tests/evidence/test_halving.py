"""Halves as far apart, or as alike, as they can be: against all halves there are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from headstart.evidence.halving import apartness, distant_halves


def _across(means: np.ndarray, a: list[int], b: list[int]) -> float:
    return float(cdist(means[a], means[b]).sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("similar", [False, True])
def test_no_other_halves_of_eight_classes_are_further_apart_or_nearer(seed: int, *, similar: bool) -> None:
    means = np.random.default_rng(seed).normal(size=(8, 3))
    every = [_across(means, list(a), [i for i in range(8) if i not in a]) for a in combinations(range(8), 4)]
    found = _across(means, *distant_halves(means, similar=similar))
    best, worst = (min(every), max(every)) if similar else (max(every), min(every))
    # Single swaps may end in a maximum that is not the highest: within a twentieth of the way to it.
    assert abs(found - best) <= 0.05 * abs(worst - best)


def test_of_an_odd_number_one_class_is_in_neither_half() -> None:
    a, b = distant_halves(np.random.default_rng(0).normal(size=(7, 2)))
    assert len(a) == len(b) == 3 and not set(a) & set(b)


def test_apartness_is_one_of_halves_at_random_and_more_of_dissimilar_ones() -> None:
    rng = np.random.default_rng(1)
    means = rng.normal(size=(20, 5))
    drawn = [apartness(means, *np.split(rng.permutation(20), 2)) for _ in range(200)]
    assert np.mean(drawn) == pytest.approx(1.0, abs=0.02)
    assert apartness(means, *distant_halves(means)) > 1.05
    assert apartness(means, *distant_halves(means, similar=True)) < 1.0
    assert apartness(np.zeros((4, 2)), [0, 1], [2, 3]) == float("inf")
