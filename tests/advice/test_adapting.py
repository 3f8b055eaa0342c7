"""The choice without target labels, and its verdict."""

from __future__ import annotations

import pytest

from headstart.advice.adapting import Basis, Standing, agreed, choose, conclude, expected, standing, votes
from headstart.errors import InternalError
from headstart.evidence import Difference
from headstart.records import Record

SOURCE_SCORES = {"iwv": -0.5, "dev": -0.5, "entropy": -1.0, "snd": 3.0, "corr_c": 0.6}


def one(name: str, *, held: float = 0.8, effective: float = 100.0, few: Difference | None = None, **scores: float):  # type: ignore[no-untyped-def]
    """Return a standing that differs from the source's head in what is named."""
    return Standing(name, SOURCE_SCORES | scores, held, effective, few)


SOURCE = one("source_only")


def test_a_record_that_read_target_labels_cannot_be_chosen_by() -> None:
    metrics = SOURCE_SCORES | {"held": 0.8, "effective": 50.0}
    record = Record("method/coral", "method", strategy="coral", metrics=metrics, detail={"few": {}})
    assert standing(record).name == "coral"
    with pytest.raises(InternalError, match="read the target's labels"):
        standing(Record("oracle/coral", "oracle", strategy="coral", metrics=metrics, reads_target_labels=True))


def test_two_witnesses_must_agree() -> None:
    assert choose([SOURCE, one("coral", corr_c=0.7)]) == "coral"
    assert choose([SOURCE, one("coral", corr_c=0.63)]) == "source_only"  # recovers 7 % of what lacks
    assert choose([SOURCE, one("coral", corr_c=0.7, held=0.77)]) == "source_only"
    assert choose([SOURCE, one("coral", corr_c=0.7, iwv=-0.53)]) == "source_only"
    assert choose([SOURCE, one("coral", corr_c=0.7, iwv=-0.53, effective=12.0)]) == "coral"


def test_the_highest_class_correlation_wins_and_own_spaces_are_left_out() -> None:
    standings = [SOURCE, one("coral", corr_c=0.7), one("transport", corr_c=0.8), one("subspace", corr_c=0.95)]
    assert [each.name for each in agreed(standings)] == ["transport", "coral"]


def test_sure_alone_is_not_enough() -> None:
    collapsed = one("pseudo_labels", entropy=-0.1, snd=6.0, iwv=-0.4, dev=-0.4, corr_c=0.4)
    assert choose([SOURCE, collapsed]) == "source_only"
    assert votes([SOURCE, collapsed])["pseudo_labels"] == ("iwv", "dev", "entropy", "snd")


def test_few_labels_choose_what_they_show_and_veto_what_they_speak_against() -> None:
    shown, unsure, worse = Difference(0.2, 0.05, 0.35), Difference(0.2, -0.02, 0.4), Difference(-0.1, -0.3, 0.1)
    assert choose([SOURCE, one("tradaboost", few=shown), one("coral", corr_c=0.7, few=unsure)]) == "tradaboost"
    assert choose([SOURCE, one("tradaboost", few=unsure), one("coral", corr_c=0.7, few=unsure)]) == "coral"
    assert choose([SOURCE, one("tradaboost", few=unsure), one("coral", corr_c=0.7, few=worse)]) == "source_only"


def test_verdicts() -> None:
    standings = [SOURCE, one("coral", corr_c=0.8)]
    gain = expected(standings, "coral", 0.3)  # recovers half
    assert gain.low == pytest.approx(0.03) and gain.value == pytest.approx(0.105) and gain.high == pytest.approx(0.27)
    helps = conclude(standings, "coral", Basis(gain, 0.3, 0, 500), margin=0.005)
    assert helps.transfer == "helps" and "+10.5 points" in helps.sentence and "blurred" in helps.rests_on
    assert helps.reasons[0].startswith("Two witnesses agree") and "0.80 instead of 0.60" in helps.reasons[0]
    assert any("at most 30.0 points" in reason for reason in helps.reasons)
    same = conclude(standings, "coral", Basis(expected(standings, "coral", 0.0), 0.0, 0, 500), margin=0.005)
    assert same.transfer == "neutral"
    hurts = conclude(standings, "coral", Basis(Difference(-0.2, -0.3, -0.1), 0.3, 40, 500), margin=0.005)
    assert hurts.transfer == "hurts" and "40 labelled target images" in hurts.rests_on
    open_ = conclude(standings, "coral", Basis(Difference(0.1, -0.1, 0.3), 0.3, 40, 500), margin=0.005)
    assert open_.transfer == "cannot_tell" and "Cannot tell" in open_.sentence


def test_the_source_s_head_is_kept_with_a_reason() -> None:
    standings = [SOURCE, one("coral", corr_c=0.61)]
    kept = conclude(standings, "source_only", Basis(Difference(0, 0, 0), 0.0, 0, 90), margin=0.005)
    assert kept.transfer == "cannot_tell" and "validators do not agree" in kept.sentence
    assert any("--labels" in reason for reason in kept.reasons)
    labelled = conclude(standings, "source_only", Basis(Difference(0, 0, 0), 0.0, 30, 90), margin=0.005)
    assert "no method is shown to be better" in labelled.sentence
