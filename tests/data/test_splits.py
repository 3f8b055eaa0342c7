"""What holds for every split: nobody twice, nobody lost, groups whole, classes in proportion."""

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from headstart.data import folds, inner_split, split
from headstart.data.allot import apportion
from headstart.errors import DataError, OptionError

FRACTIONS = [(0.6, 0.2, 0.2), (0.8, 0.1, 0.1), (0.7, 0.3, 0.0), (0.5, 0.0, 0.5), (1.0, 0.0, 0.0)]


@st.composite
def labelled_groups(draw):
    """Labels with at least three images a class, groups that may hold several classes, a seed."""
    counts = draw(st.lists(st.integers(3, 30), min_size=2, max_size=6))
    y = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    groups = rng.integers(0, draw(st.integers(len(y) // 4 + 4, 20 * len(y))), len(y))
    order = rng.permutation(len(y))
    return y[order], groups, draw(st.integers(0, 2**31))


def sides(n: int, *parts) -> np.ndarray:
    """The part of every image; fails unless the parts hold each image exactly once."""
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    side = np.empty(n, int)
    for number, part in enumerate(parts):
        assert np.array_equal(part, np.sort(part))
        side[part] = number
    return side


def whole(groups: np.ndarray, side: np.ndarray) -> bool:
    return all(len(set(side[groups == group])) == 1 for group in set(groups.tolist()))


@settings(max_examples=60, deadline=None)
@drawn(labelled_groups(), st.sampled_from(FRACTIONS))
def test_every_split_is_a_partition_with_whole_groups_and_every_class_in_training(case, fractions):
    y, groups, seed = case
    parts = split(y, groups, seed=seed, fractions=fractions)
    side = sides(len(y), parts.train, parts.val, parts.test, parts.aside)
    assert whole(groups, side) and len(parts.aside) == 0
    assert set(y[parts.train]) == set(y)
    again = split(y, groups, seed=seed, fractions=fractions)
    assert np.array_equal(parts.train, again.train) and np.array_equal(parts.val, again.val)
    for share, part in zip(fractions, (parts.train, parts.val, parts.test), strict=True):
        assert share > 0 or len(part) == 0


@settings(max_examples=60, deadline=None)
@drawn(st.lists(st.integers(3, 60), min_size=2, max_size=12), st.sampled_from(FRACTIONS), st.integers(0, 2**31))
def test_without_groups_every_class_is_within_one_image_of_its_share(counts, fractions, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    parts = split(y, np.arange(len(y)), seed=seed, fractions=fractions)
    for share, part in zip(fractions, (parts.train, parts.val, parts.test), strict=True):
        got = np.bincount(y[part], minlength=len(counts))
        assert (np.abs(got - share * np.array(counts)) <= 1 + (np.array(counts) < 10)).all()
        assert share == 0 or (got >= 1).all()


@settings(max_examples=60, deadline=None)
@drawn(labelled_groups(), st.integers(2, 5))
def test_folds_evaluate_every_image_once(case, k):
    y, groups, seed = case
    k = min(k, len(set(groups.tolist())))
    made = folds(y, groups, k, seed=seed)
    assert len(made) == k
    assert whole(groups, sides(len(y), *(evaluate for _, evaluate in made)))
    for fit, evaluate in made:
        sides(len(y), fit, evaluate)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(made, folds(y, groups, k, seed=seed), strict=True))


def test_folds_without_groups_are_even_in_size_and_class():
    y = np.repeat(np.arange(20), 7)
    made = folds(y, np.arange(140), 5, seed=3)
    assert all(abs(len(evaluate) - 28) <= 1 for _, evaluate in made)
    assert all(set(np.bincount(y[evaluate], minlength=20)) <= {1, 2} for _, evaluate in made)


def test_folds_of_rare_classes_are_even_too():
    y = np.repeat(np.arange(30), 3)
    made = folds(y, np.arange(90), 5, seed=3)
    assert all(abs(len(evaluate) - 18) <= 2 for _, evaluate in made)
    assert all(set(y[fit]) == set(y) for fit, _ in made)


@settings(max_examples=60, deadline=None)
@drawn(labelled_groups(), st.sampled_from([0.1, 0.2, 0.4]))
def test_inner_split_keeps_every_class_to_fit_on(case, fraction):
    y, groups, seed = case
    fit, stop = inner_split(y, groups, fraction, seed=seed)
    assert whole(groups, sides(len(y), fit, stop)) and set(y[fit]) == set(y)


def test_inner_split_of_few_images_holds_one_back():
    for seed in range(10):
        fit, stop = inner_split(np.array([0, 0, 1, 1]), np.arange(4), 0.05, seed=seed)
        assert (len(fit), len(stop)) == (3, 1)
    assert len(inner_split(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 0.5, seed=0)[1]) == 0


def test_inner_split_of_many_small_classes_has_the_size_asked_for():
    y = np.repeat(np.arange(100), 3)
    _, stop = inner_split(y, np.arange(300), 0.1, seed=0)
    assert abs(len(stop) - 30) <= 1 and np.bincount(y[stop]).max() == 1


def test_seeds_differ():
    y = np.repeat([0, 1], 50)
    assert not np.array_equal(split(y, np.arange(100), seed=0).test, split(y, np.arange(100), seed=1).test)


def test_a_class_that_is_one_group_is_trained_on_and_three_groups_reach_every_part():
    y = np.array([0] * 9 + [1] * 6 + [2] * 9)
    groups = np.array([0] * 9 + [1, 1, 2, 2, 3, 3] + list(range(4, 13)))
    for seed in range(20):
        parts = split(y, groups, seed=seed)
        assert set(range(9)) <= set(parts.train.tolist())
        assert all({1, 2} <= set(y[part].tolist()) for part in (parts.train, parts.val, parts.test))


def test_broken_images_stand_aside_with_their_reason():
    y = np.repeat([0, 1], 10)
    parts = split(y, np.arange(20), seed=0, broken=[(4, "cut off"), (15, "empty")])
    assert parts.aside.tolist() == [4, 15] and parts.reasons == {4: "cut off", 15: "empty"}
    sides(20, parts.train, parts.val, parts.test, parts.aside)


def test_given_parts_are_kept_and_copies_of_them_are_set_aside():
    y = np.tile([0, 1], 6)
    given = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    groups = np.arange(12)
    groups[[0, 6, 9]] = 0  # a training and a validation copy of a test image
    groups[[1, 7]] = 1  # a training copy of a validation image
    parts = split(y, groups, seed=0, given=given)
    assert parts.test.tolist() == [9, 10, 11] and parts.val.tolist() == [7, 8]
    assert parts.train.tolist() == [2, 3, 4, 5] and parts.aside.tolist() == [0, 1, 6]
    assert parts.leaks == {0: (9,), 6: (9,), 1: (7,)}
    assert "test part" in parts.reasons[0] and "validation part" in parts.reasons[1]


def test_copies_inside_a_given_test_part_stay():
    y = np.tile([0, 1], 6)
    groups = np.arange(12)
    groups[[10, 11]] = 10
    parts = split(y, groups, seed=0, given=["train"] * 8 + ["test"] * 4)
    assert parts.test.tolist() == [8, 9, 10, 11] and len(parts.aside) == 0


def test_missing_parts_are_carved_from_training():
    y = np.tile([0, 1], 50)
    parts = split(y, np.arange(100), seed=0, given=["train"] * 80 + ["test"] * 20)
    assert parts.test.tolist() == list(range(80, 100)) and (len(parts.train), len(parts.val)) == (60, 20)
    none = split(y, np.arange(100), seed=0, given=[None] * 100)
    assert (len(none.train), len(none.val), len(none.test)) == (60, 20, 20)
    without = split(y, np.arange(100), seed=0, given=["train"] * 80 + ["test"] * 20, fractions=(1, 0, 0))
    assert (len(without.train), len(without.val)) == (80, 0)


def test_classes_with_one_or_two_usable_images_are_named():
    y = np.array([0] * 5 + [1] * 2 + [2] + [3] * 3)
    with pytest.raises(DataError, match=r"in cat \(2\), dog \(1\), fox \(2\), owl \(0\)") as error:
        split(y, np.arange(11), seed=0, classes=["ant", "cat", "dog", "fox", "owl"], broken=[(10, "empty")])
    assert error.value.remedy


def test_a_class_without_training_images_is_named():
    y = np.array([0, 0, 0, 1, 1, 1])
    given = ["train", "train", "test", "test", "test", "val"]
    with pytest.raises(DataError, match="No image is left to train on in dog"):
        split(y, np.arange(6), seed=0, given=given, classes=["cat", "dog"])


@pytest.mark.parametrize("fractions", [(0, 0.5, 0.5), (0.5, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_fractions_must_be_shares(fractions):
    with pytest.raises(OptionError):
        split(np.repeat([0, 1], 5), np.arange(10), seed=0, fractions=fractions)


def test_impossible_folds_and_shares_are_refused():
    y, groups = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    for wrong in (1, 3):
        with pytest.raises(OptionError):
            folds(y, groups, wrong, seed=0)
    with pytest.raises(OptionError):
        inner_split(y, groups, 1.0, seed=0)


@settings(max_examples=100, deadline=None)
@drawn(st.integers(0, 500), st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_apportion_adds_up_and_stays_within_one(count, weights):
    shares = np.array(weights) / np.sum(weights)
    whole_numbers = apportion(count, shares)
    assert whole_numbers.sum() == count and (np.abs(whole_numbers - count * shares) < 1 + 1e-6).all()


def test_seventy_thousand_images_are_split_in_seconds():
    y = np.arange(70_000) % 10
    groups = np.arange(70_000) // 2 * 2
    parts = split(y, groups, seed=0)
    assert abs(len(parts.train) - 42_000) <= 40
