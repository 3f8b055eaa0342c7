"""What is handed back for several tasks, and what is said of each."""

from __future__ import annotations

import pytest

from headstart.advice.joint import TaskFound, decide_joint, effect
from headstart.evidence import Difference

BETTER, WORSE, OPEN = Difference(0.05, 0.02, 0.08), Difference(-0.05, -0.08, -0.02), Difference(0.01, -0.03, 0.05)
NONE = Difference(0.1, None, None)


@pytest.mark.parametrize(
    ("difference", "word"),
    [
        (BETTER, "helps"),
        (WORSE, "hurts"),
        (OPEN, "cannot_tell"),
        (NONE, "cannot_tell"),
        (Difference(0.0, -0.005, 0.005), "neutral"),
        (Difference(0.002, 0.001, 0.003), "neutral"),
        (Difference(0.004, 0.001, 0.007), "helps"),
    ],
)
def test_what_a_difference_shows(difference: Difference, word: str) -> None:
    assert effect(difference, 0.005) == word


EVEN = Difference(0.004, -0.03, 0.05)


@pytest.mark.parametrize(
    ("mean", "chosen"), [(BETTER, "joint"), (WORSE, "frozen"), (OPEN, "joint"), (EVEN, "frozen"), (NONE, "joint")]
)
def test_what_did_better_by_more_than_the_margin_is_handed_back(mean: Difference, chosen: str) -> None:
    assert decide_joint(mean, [TaskFound("a", OPEN, OPEN, OPEN)], margin=0.005).chosen == chosen


def test_worse_is_not_called_unknown() -> None:
    said = [decide_joint(mean, [TaskFound("a", OPEN, OPEN, OPEN)], margin=0.005).sentence for mean in (WORSE, OPEN)]
    assert "does worse: −5.0 points" in said[0] and "which may be chance: +1.0 points" in said[1]


def test_a_task_that_loses_is_named() -> None:
    tasks = [TaskFound("a", WORSE, BETTER, BETTER), TaskFound("b", BETTER, WORSE, OPEN)]
    joint = decide_joint(BETTER, tasks, margin=0.005)
    assert joint.tasks == {"a": "hurts", "b": "helps"}
    assert (
        "a: training together hurts, −5.0 points (−8.0 to −2.0) against a network trained for it alone."
        in joint.reasons
    )
    assert "b: it does worse than the frozen network, −5.0 points (−8.0 to −2.0)." in joint.reasons
    frozen = decide_joint(EVEN, tasks, margin=0.005)
    assert any(reason.startswith("a: a network trained for it alone does better") for reason in frozen.reasons)
    assert not any(reason.startswith("b: a network trained for it alone") for reason in frozen.reasons)
    assert "+0.4 points (−3.0 to +5.0) in the mean over 2 tasks" in frozen.sentence
