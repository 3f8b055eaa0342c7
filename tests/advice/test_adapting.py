"""The choice without target labels, and its verdict."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.advice.adaptation_verdict import LIKELY, Basis, Choice, conclude
from headstart.advice.adapting import Standing, agreed, choose, expected, standing, uneven, votes
from headstart.errors import InternalError
from headstart.evidence import Difference, softmax
from headstart.evidence.label_free import VALIDATORS, Seen
from headstart.evidence.priors import evenness
from headstart.records import Record
from headstart.shallow.adapt import Few, Shift
from headstart.strategies import ADAPTATIONS

SOURCE_SCORES = {"iwv": -0.5, "dev": -0.5, "entropy": -1.0, "snd": 3.0, "corr_c": 0.6}


def one(name: str, *, few: Difference | None = None, **differs: float) -> Standing:
    """Return a standing that differs from the source's head in what is named."""
    others = {"held": 0.8, "kept": 0.8, "effective": 100.0, "overlap": 1.0, "even": 0.9, "sure": 0.95}
    others |= {key: differs.pop(key) for key in list(differs) if key in others}
    return Standing(name, SOURCE_SCORES | differs, few=few, **others)


SOURCE = one("source_only")


def test_a_record_that_read_target_labels_cannot_be_chosen_by() -> None:
    metrics = SOURCE_SCORES | {"held": 0.8, "kept": 0.8, "effective": 50.0, "overlap": 0.9, "even": 0.9, "sure": 0.95}
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
    assert choose([SOURCE, one("coral", corr_c=0.7, kept=0.66, effective=12.0)]) == "coral"
    assert choose([SOURCE, one("coral", corr_c=0.7, kept=0.62, effective=12.0)]) == "source_only"
    assert choose([SOURCE, one("coral", corr_c=0.7, kept=0.62)]) == "source_only"


def test_at_home_a_row_that_aligns_is_compared_with_fine_tuning() -> None:
    tuned = one("finetuned_source", held=0.76, kept=0.76)
    assert choose([SOURCE, tuned, one("dan", corr_c=0.8, held=0.75, kept=0.75)]) == "dan"
    assert choose([SOURCE, tuned, one("dan", corr_c=0.8, held=0.73, kept=0.73)]) == "source_only"
    assert choose([SOURCE, one("dan", corr_c=0.8, held=0.75, kept=0.75)]) == "source_only", "fine-tuning has not run"
    assert choose([SOURCE, tuned, one("coral", corr_c=0.8, held=0.75)]) == "source_only", "it trains nothing"
    lost = one("finetuned_source", held=0.6, kept=0.6)
    assert choose([SOURCE, lost, one("dan", corr_c=0.8, held=0.6, kept=0.6)]) == "source_only", "a quarter is lost"


def test_at_home_the_network_that_was_fine_tuned_on_the_source_is_compared_with_the_head() -> None:
    assert choose([SOURCE, one("finetuned_source", corr_c=0.8, held=0.79, kept=0.79, iwv=-0.9)]) == "finetuned_source"
    assert choose([SOURCE, one("finetuned_source", corr_c=0.8, held=0.76, kept=0.76)]) == "source_only"


def test_what_aligns_is_said_beside_the_same_training() -> None:
    standings = [SOURCE, one("finetuned_source", held=0.76, kept=0.76), one("dan", corr_c=0.8, held=0.75, kept=0.75)]
    told = conclude(standings, "dan", Basis(expected(standings, "dan", 0.3), 0.3, 0, 90), margin=0.005)
    assert "75.0 % instead of 80.0 % (76.0 % by the same training without aligning)" in told.reasons[0]


def test_the_weighted_loss_of_a_row_that_trains_is_compared_with_that_of_fine_tuning() -> None:
    tuned, aligned = one("finetuned_source", iwv=-0.8), one("dan", corr_c=0.8, iwv=-0.82)
    assert choose([SOURCE, tuned, aligned]) == "dan"
    assert choose([SOURCE, tuned, one("dan", corr_c=0.8, iwv=-0.85)]) == "source_only"
    assert choose([SOURCE, aligned]) == "source_only", "where fine-tuning has not run, with the source's head"
    assert choose([SOURCE, tuned, one("coral", corr_c=0.8, iwv=-0.82)]) == "source_only"
    assert choose([SOURCE, tuned, one("mcc", corr_c=0.9, iwv=-0.8)]) == "source_only", "it lowers what is measured"


def test_where_no_row_may_be_chosen_that_is_said() -> None:
    standings = [SOURCE, one("subspace", corr_c=0.9), one("mcc", corr_c=0.9)]
    assert choose(standings) == "source_only"
    kept = conclude(standings, "source_only", Basis(Difference(0, 0, 0), 0.0, 0, 90), margin=0.005)
    assert "none of these methods may be chosen" in kept.sentence


def test_where_the_target_holds_few_classes_the_source_s_head_is_kept() -> None:
    few_classes = [one("source_only", even=0.35, corr_c=0.5), one("coral", corr_c=0.9)]
    assert uneven(few_classes) and choose(few_classes) == "source_only"
    kept = conclude(few_classes, "source_only", Basis(Difference(0, 0, 0), 0.0, 0, 90), margin=0.005)
    assert kept.transfer == "cannot_tell" and "hold few of the classes" in kept.sentence
    assert any("as if only 35 % of them were there" in reason for reason in kept.reasons)
    shown = [few_classes[0], one("coral", corr_c=0.9, few=Difference(0.2, 0.1, 0.3))]
    assert choose(shown) == "coral"


def test_two_of_six_classes_on_real_heads() -> None:
    rng = np.random.default_rng(0)
    centres = 2.5 * rng.standard_normal((6, 12))

    def drawn(y: np.ndarray) -> np.ndarray:
        return centres[y] + rng.standard_normal((len(y), 12))

    y, held, two, six = (np.arange(n) % k for n, k in ((240, 6), (120, 6), (120, 2), (120, 6)))
    for there, few in ((two, True), (six, False)):
        shift = Shift(drawn(y), y, Few(drawn(held), held), drawn(there) + 0.3, 6, penalty=1.0)
        standings = [built(name, shift) for name in ("source_only", "coral")]
        assert uneven(standings) is few
        assert not few or (choose(standings) == "source_only" and standings[1].scores["corr_c"] > 0)


def built(name: str, shift: Shift) -> Standing:
    """Return how a method stands on a shift."""
    row = ADAPTATIONS[name].on_features
    assert row is not None
    found = row(shift)
    target, held, kept = (
        softmax(each)
        for each in (found.logits(shift.z_t), found.source_logits(shift.held.z), found.logits(shift.held.z))
    )
    seen = Seen(target, held, shift.held.y, np.ones(len(held)))
    right = [float((each.argmax(1) == shift.held.y).mean()) for each in (held, kept)]
    sure = float(target.max(1).mean() / held.max(1).mean())
    scores = {key: one.function(seen) for key, one in VALIDATORS.items()}
    return Standing(name, scores, *right, effective=100.0, overlap=1.0, even=evenness(target.mean(0)), sure=sure)


def test_a_head_that_is_far_from_home_is_not_believed_but_told() -> None:
    lost = [one("source_only", even=0.35, sure=0.8), one("coral", corr_c=0.9)]
    assert choose(lost) == "coral"
    away = [one("source_only", even=0.1, sure=1.05, overlap=0.01), one("coral", corr_c=0.9)]
    assert choose(away) == "coral", "one class, surely, of images that are nothing like the source's"
    told = conclude(away, "coral", Basis(expected(away, "coral", 0.5), 0.5, 0, 90), margin=0.005)
    assert any("no images like these" in reason for reason in told.reasons)
    found = conclude(lost, "coral", Basis(expected(lost, "coral", 0.5), 0.5, 0, 90), margin=0.005)
    assert found.transfer == "cannot_tell" and any("classes may be missing" in reason for reason in found.reasons)


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
    likely = conclude(standings, "coral", Basis(gain, 0.3, 0, 500), margin=0.005)
    assert likely.transfer == "cannot_tell" and likely.sentence.startswith(f"{LIKELY}: ")
    assert "+10.5 points" in likely.sentence and "blurred" in likely.rests_on
    assert likely.reasons[0].startswith("Two witnesses agree") and "0.80 instead of 0.60" in likely.reasons[0]
    assert any("at most 30.0 points" in reason for reason in likely.reasons)
    helps = conclude(standings, "coral", Basis(Difference(0.1, 0.02, 0.2), 0.3, 40, 500), margin=0.005)
    assert helps.transfer == "helps" and helps.sentence.startswith("Adapting helps: ")
    same = conclude(standings, "coral", Basis(expected(standings, "coral", 0.0), 0.0, 0, 500), margin=0.005)
    assert same.transfer == "neutral"
    hurts = conclude(standings, "coral", Basis(Difference(-0.2, -0.3, -0.1), 0.3, 40, 500), margin=0.005)
    assert hurts.transfer == "hurts" and "40 labelled target images" in hurts.rests_on
    open_ = conclude(standings, "coral", Basis(Difference(0.1, -0.1, 0.3), 0.3, 40, 500), margin=0.005)
    assert open_.transfer == "cannot_tell" and "Cannot tell" in open_.sentence


def hurt(*standings: Standing) -> Choice:
    """Return the verdict that thirty labels give, which must hand back the source's head."""
    assert choose([SOURCE, *standings]) == "source_only"
    return conclude([SOURCE, *standings], "source_only", Basis(Difference(0, 0, 0), 0.0, 30, 90), margin=0.005)


def test_few_labels_against_what_is_agreed_on_show_that_adapting_hurts() -> None:
    unsure, worse = Difference(-0.1, -0.3, 0.1), Difference(-0.2, -0.3, -0.1)
    told = hurt(one("coral", corr_c=0.7, few=worse), one("tca", few=unsure))
    assert (told.chosen, told.transfer) == ("source_only", "hurts")
    assert told.sentence == (
        "Adapting hurts: correlation alignment (CORAL), -20.0 points (90% interval -30.0 to -10.0) over the source's "
        "head. The source's head is handed back."
    )
    assert told.reasons[0].startswith("Two witnesses agree") and "30 labelled target images" in told.rests_on
    assert "Without these labels" in told.reasons[1] and told.rests_on in told.reasons[2]
    # Not where the interval reaches the margin, or speaks of what is not agreed on.
    inside = Difference(-0.1, -0.2, -0.004)
    for open_ in ((one("coral", corr_c=0.7, few=inside),), (one("coral", few=unsure), one("tca", few=worse))):
        assert hurt(*open_).transfer == "cannot_tell"
    assert hurt(one("coral", corr_c=0.7, few=Difference(-0.2, None, None))).transfer == "cannot_tell"


def test_few_labels_against_every_method_show_that_adapting_hurts() -> None:
    worse, least = Difference(-0.2, -0.3, -0.1), Difference(-0.1, -0.15, -0.05)
    told = hurt(one("coral", few=worse), one("tca", few=least), one("target_only"))
    assert (
        told.transfer == "hurts"
        and "the best of all that were measured, transfer component analysis (TCA)" in told.sentence
    )
    assert "-10.0 points (90% interval -15.0 to -5.0)" in told.sentence and len(told.reasons) == 1
    assert "hurts: correlation alignment" in hurt(one("coral", few=worse)).sentence
    # What the labels do not speak against may still be as good.
    assert hurt(one("coral", few=worse), one("tca", few=Difference(-0.1, -0.2, 0.05))).transfer == "cannot_tell"


def test_the_source_s_head_is_kept_with_a_reason() -> None:
    standings = [SOURCE, one("coral", corr_c=0.61)]
    kept = conclude(standings, "source_only", Basis(Difference(0, 0, 0), 0.0, 0, 90), margin=0.005)
    assert kept.transfer == "cannot_tell" and "validators do not agree" in kept.sentence
    assert any("--labels" in reason for reason in kept.reasons)
    labelled = conclude(standings, "source_only", Basis(Difference(0, 0, 0), 0.0, 30, 90), margin=0.005)
    assert "no method is shown to be better" in labelled.sentence
