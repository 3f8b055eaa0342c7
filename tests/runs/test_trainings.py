"""From built accuracies: where curves meet, who is ahead, and what training brings on the same replicates."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.advice.growth import Growth
from headstart.records import Record
from headstart.runs.grown import Trainings
from headstart.runs.trainings import trainings

SIZES = np.array([40, 80, 160, 320, 640])
TRAINED = (40, 160, 640)


def law(scale: float, rate: float, sizes: object = SIZES) -> np.ndarray:
    return 1 - scale * np.asarray(sizes, dtype=float) ** -rate


def record(value: float, *, improving: bool = False) -> Record:
    curves = [{"still_improving": improving}]
    return Record("training", "training", metrics={"value": value}, cost={"seconds": 2.0}, detail={"curves": curves})


def made(tuned: np.ndarray, scratch: np.ndarray, frozen: np.ndarray) -> Trainings:
    """Trainings with these accuracies (replicates, sizes), beside frozen ones over more replicates."""
    growth = Growth({"all": 8, "scratch": 8}, TRAINED, len(tuned), (), ())
    records = {
        "all": [[record(v) for v in row] for row in tuned],
        "scratch": [[record(v, improving=True) for v in row] for row in scratch],
    }
    return trainings(growth, records, sizes=SIZES.tolist(), frozen=frozen, labels=800, more=200, seed=0)


def test_curves_cross_where_their_laws_do_and_the_steeper_one_is_ahead_after_that() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.01, size=(3, 3))
    noise -= noise.mean(axis=0)
    # 1.0 n^-0.25 = 4.0 n^-0.5 at n = 256; from scratch the error is 5 n^-0.5 : never below that of fine-tuning.
    found = made(
        law(4.0, 0.5, TRAINED) + noise,
        law(5.0, 0.5, TRAINED)[None] + noise[::-1],
        law(1.0, 0.25) + rng.normal(scale=0.002, size=(10, 5)),
    )
    frozen, scratch = found.meetings
    assert (frozen.one, frozen.other, frozen.ahead, frozen.measured) == ("probe", "all", "all", 640)
    assert frozen.at is not None and frozen.at.low is not None and frozen.at.high is not None
    assert frozen.at.low <= 256 <= frozen.at.high and 200 < frozen.at.value < 320
    assert (scratch.at, scratch.ahead, scratch.searched) == (None, "all", 6400)


def test_what_is_gained_is_paired_over_the_first_replicates() -> None:
    luck = np.random.default_rng(1).normal(scale=0.05, size=(10, 1))
    frozen = law(1.0, 0.25) + luck
    found = made(law(1.0, 0.25, TRAINED) + 0.04 + luck[:3], law(1.0, 0.25, TRAINED) - 0.1 + luck[:3], frozen)
    gains = [curve.over_frozen for curve in found.curves]
    assert [each.value for each in gains] == pytest.approx([0.04, -0.1])
    assert gains[0].low == pytest.approx(0.04) and gains[0].high == pytest.approx(0.04)
    assert [curve.improving for curve in found.curves] == [0, 9] and found.seconds == 36
    assert [met.ahead for met in found.meetings] == ["all", "all"]


def test_one_replicate_has_crossings_without_an_interval() -> None:
    found = made(law(4.0, 0.5, TRAINED)[None], law(5.0, 0.5, TRAINED)[None], law(1.0, 0.25)[None].repeat(10, axis=0))
    at = found.meetings[0].at
    assert at is not None and at.low is None and at.value == pytest.approx(256, rel=0.05)
    assert found.curves[0].over_frozen.low is None
