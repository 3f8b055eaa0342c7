"""What is said of a pretraining, and which surrogates are worth it over repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from headstart.advice.pretraining import judge_pretraining
from headstart.advice.surrogates import judge_surrogates
from headstart.evidence.multiple import holm, paired_p


def epochs(*, solved: float = 0.8, collapsed: bool = False) -> list[dict[str, Any]]:
    looked = {"rank": 1.2 if collapsed else 20.0, "collapsed": collapsed}
    return [
        {"solved": 0.25, "chance": 0.25, "rank": 20.0, "collapsed": False},
        {"solved": solved, "chance": 0.25, **looked},
    ]


def gain(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (gain(0.1, 0.02, 0.2), "helps"),
        (gain(-0.1, -0.2, -0.02), "hurts"),
        (gain(0.0, -0.004, 0.004), "neutral"),
        (gain(0.05, -0.1, 0.2), "cannot_tell"),
        (gain(0.05, None, None), "cannot_tell"),
        (None, "unknown"),
    ],
)
def test_the_word_is_what_the_interval_shows(found: Any, word: str) -> None:
    said = judge_pretraining("rotations", epochs(), gain=found, margin=0.005)
    assert said.word == word and "rotations" in said.sentence
    assert any("80 % are answered rightly; 25 % were before, 25 % are by chance" in one for one in said.reasons)
    assert not any("hardly" in one for one in said.reasons)


def test_what_was_hardly_learned_and_what_collapsed_is_said_whatever_the_probe_says() -> None:
    said = judge_pretraining("rotations", epochs(solved=0.26), gain=gain(0.1, 0.05, 0.2), margin=0.005)
    assert said.word == "helps" and any("hardly" in one for one in said.reasons)
    said = judge_pretraining("rotations", epochs(collapsed=True), gain=gain(0.1, 0.05, 0.2), margin=0.005)
    assert said.word == "collapsed" and any("They use 1.2 directions" in one for one in said.reasons)


def test_holm_rejects_what_stepping_down_rejects() -> None:
    """Against a transcription of the procedure: reject while p_(i) <= alpha / (m - i)."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, alpha = rng.uniform(0, 0.1, 6), 0.05
        rejected = np.zeros(6, bool)
        for i, place in enumerate(np.argsort(p)):
            if p[place] > alpha / (6 - i):
                break
            rejected[place] = True
        np.testing.assert_array_equal(np.array(holm(p.tolist())) <= alpha, rejected)


def test_a_p_value_is_students() -> None:
    d = [0.1, 0.3, 0.2, 0.05]
    t = np.mean(d) / (np.std(d, ddof=1) / 2)
    assert paired_p(d) == pytest.approx(2 * stats.t.sf(t, 3))
    assert (paired_p([0.1]), paired_p([0.0, 0.0]), paired_p([0.05, 0.05])) == (1.0, 1.0, 1.0)


def test_a_surrogate_is_worth_it_where_its_gain_outlives_the_correction() -> None:
    base = [0.40, 0.42, 0.41, 0.39, 0.43]
    sure, unsure = [b + 0.1 + 0.005 * i for i, b in enumerate(base)], [0.5, 0.3, 0.6, 0.35, 0.45]
    worse = [b - 0.1 - 0.005 * i for i, b in enumerate(base)]
    values = {"random/x": base, "exemplar": sure, "slow": unsure, "rotation": worse, "packaged/y": [0.9] * 5}
    titles = {"exemplar": "patches", "slow": "frames", "rotation": "turns"}
    said = judge_surrogates({"probe": {10: values}}, random="random/x", titles=titles)
    gains = said.gains["probe"][10]
    assert {name for name, one in gains.items() if one.shown} == {"exemplar", "rotation", "packaged/y"}
    assert said.sentence == "Better than random weights, labels a class: patches with 10 (probed)."
    assert "the best surrogate is exemplar, +11.0 points" in said.reasons[0] and "packaged/y +" in said.reasons[0]
    low, high = gains["exemplar"].low, gains["exemplar"].high
    assert low is not None and high is not None and low < 0.11 < high
    one = judge_surrogates({"probe": {10: {k: v[:1] for k, v in values.items()}}}, random="random/x", titles=titles)
    assert one.sentence.startswith("No surrogate task is shown") and one.gains["probe"][10]["exemplar"].low is None
