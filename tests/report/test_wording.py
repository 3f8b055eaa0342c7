"""Numbers as they are read."""

import pytest

from headstart.report import wording


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"value": 0.793, "low": 0.761, "high": 0.824}, "79.3 % (76.1–82.4)"),
        ({"value": 0.793, "low": None, "high": None}, "79.3 %"),
        ({"value": 1.0, "low": 0.98, "high": 1.0}, "100.0 % (98.0–100.0)"),
        ({}, "—"),
    ],
)
def test_a_share_stands_with_its_interval(metrics: dict[str, float], words: str) -> None:
    assert wording.estimate(metrics) == words


@pytest.mark.parametrize(
    ("difference", "words"), [(0.034, "+3.4"), (-0.034, "−3.4"), (0.0, "±0.0"), (-0.0004, "±0.0"), (None, "—")]
)
def test_a_difference_has_a_sign_unless_it_rounds_to_nought(difference: float | None, words: str) -> None:
    assert wording.signed(difference) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599.7, "1 h"),
        (3660, "1 h 1 min"),
        (90000, "1 d 1 h"),
        (None, "—"),
    ],
)
def test_durations_never_show_sixty_of_a_unit(value: float | None, words: str) -> None:
    assert wording.seconds(value) == words


def test_a_small_part_never_reads_as_nought_nor_a_large_one_as_all() -> None:
    assert wording.fraction(1, 1_000_000) == "< 0.1 %"
    assert wording.fraction(999_999, 1_000_000) == "> 99.9 %"
    assert wording.fraction(0, 10) == "0.0 %"
    assert wording.fraction(10, 10) == "100.0 %"
    assert wording.fraction(1, 0) == wording.MISSING


@pytest.mark.parametrize(("value", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (250e6, "250 MB")])
def test_sizes_are_decimal(value: float, words: str) -> None:
    assert wording.size(value) == words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no_better", "no better"),
        ("All epochs done.", "All epochs done"),
        (True, "stopped early"),
        (None, "ran to its last epoch"),
    ],
)
def test_the_reason_of_a_stop_is_words(reason: object, words: str) -> None:
    assert wording.stopped(reason) == words


@pytest.mark.parametrize(
    ("strategy", "cut", "block", "said"),
    [
        ("probe", "layer4", "", "frozen, read at layer4"),
        ("last_block", "layer3", "", "frozen up to layer3"),
        ("all", "", "", "every layer trained"),
        ("surgical", "layer2", "layer3", "frozen but layer3"),
        ("surgical", "", "stem", "frozen but stem"),
    ],
)
def test_what_stayed_as_it_was(strategy: str, cut: str, block: str, said: str) -> None:
    assert wording.kept(strategy, cut, block) == said
