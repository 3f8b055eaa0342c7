"""Rungs are a pure function: the images double, the networks halve, and a few are always left."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.advice.halving import (
    FEWEST_A_CLASS,
    FEWEST_IMAGES,
    FINALISTS,
    REOPENED,
    SCREENED,
    SCREENING,
    Rung,
    rung_seconds,
    rungs,
    survivors,
)


@given(networks=st.integers(1, 300), images=st.integers(2, 100_000), classes=st.integers(2, 500))
def test_rungs_halve_networks_and_double_images(networks: int, images: int, classes: int) -> None:
    found = rungs(networks, images, classes=classes)
    assert bool(found) == (networks > FINALISTS)
    for rung in found:
        assert FINALISTS <= rung.left < rung.networks
        assert min(images, max(FEWEST_IMAGES, FEWEST_A_CLASS * classes)) <= rung.images <= images
    for before, after in pairwise(found):
        assert after.networks == before.left
        assert before.images < after.images <= 2 * before.images
    if found:
        assert found[0].networks == networks and found[-1].left == FINALISTS
        # The next number of images would be all of them.
        assert 2 * found[-1].images >= images


@pytest.mark.parametrize("networks", range(1, FINALISTS + 1))
def test_few_networks_are_not_halved(networks: int) -> None:
    assert rungs(networks, 10_000, classes=10) == ()


def test_of_few_images_all_are_looked_at_once() -> None:
    assert rungs(12, 100, classes=10) == (Rung(12, 100, 4),)
    assert rungs(32, 600, classes=10) == (Rung(32, 250, 8), Rung(8, 300, 4))
    assert rungs(12, 2000, classes=10) == (Rung(12, 500, 6), Rung(6, 1000, 4))
    assert rungs(5, 2000, classes=100) == (Rung(5, 1000, 4),)
    assert rungs(12, 4000, classes=300) == (Rung(12, 1500, 6), Rung(6, 2000, 4))


def test_those_of_highest_value_are_left() -> None:
    values = {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.7, "e": 0.1}
    assert survivors(values, 3, trainable=set(values)) == ["b", "d", "a"], "of equal ones the first that was named"


def test_one_that_can_be_fine_tuned_is_always_left() -> None:
    values = {"a": 0.5, "b": 0.9, "c": 0.6, "d": 0.7}
    assert survivors(values, 2, trainable={"a", "c"}) == ["b", "c"], "the best of them takes the last place"
    assert survivors(values, 2, trainable={"a", "d"}) == ["b", "d"]
    assert survivors(values, 2, trainable=set()) == ["b", "d"]


def test_the_dearest_networks_are_counted_for_those_that_are_left() -> None:
    opening, forward = {"a": 5.0, "b": 6.0, "c": 7.0}, {"a": 0.01, "b": 0.02, "c": 0.03}
    first, second = rung_seconds((Rung(3, 100, 2), Rung(2, 200, 1)), opening=opening, forward=forward)
    assert first == pytest.approx(18 + 50 * 0.06 + 3 * (SCREENING + 100 * SCREENED))
    assert second == pytest.approx(2 * REOPENED + 50 * 0.05 + 2 * (SCREENING + 200 * SCREENED))
