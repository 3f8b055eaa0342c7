"""Built cases with known answers: what to do, and the sentences that say why."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from headstart.advice import Candidate, Difference, Verdict, decide
from headstart.strategies import TABLE

WHAT = {
    "probe": "freeze the net and fit a ridge head at top",
    "last_block": "fine-tune the last block of the net",
    "upper_half": "fine-tune the upper half of the net",
    "all": "fine-tune all of the net",
    "frozen_random": "fit a head to random features",
    "scratch": "train the net from scratch",
}
TRANSFERRED = ("probe", "last_block", "upper_half", "all")
MARGIN = 0.005
PROBE, LAST, ALL, SCRATCH = (TABLE[name].title for name in ("probe", "last_block", "all", "scratch"))


@dataclass(frozen=True)
class Case:
    """Values by strategy, intervals (low, high) of best − candidate, and one of best − best control."""

    values: dict[str, float]
    to_best: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    to_control: tuple[float | None, float | None] | None = None
    rising: bool = False

    def decide(self, *, margin: float = MARGIN, n: int = 300) -> Verdict:
        candidates = [
            Candidate(name, self.values[name], WHAT[name], self.rising and name == "scratch")
            for name in WHAT
            if name in self.values
        ]
        tuned = {name: value for name, value in self.values.items() if name in TRANSFERRED}
        best = max(tuned, key=lambda name: tuned[name])
        differences = {
            name: Difference(best, name, tuned[best] - tuned[name], *interval)
            for name, interval in self.to_best.items()
        }
        assert set(differences) == set(tuned) - {best}, "the case forgot an interval"
        control = None
        if self.to_control is not None:
            name = max(set(self.values) - set(tuned), key=lambda name: self.values[name])
            control = Difference(best, name, tuned[best] - self.values[name], *self.to_control)
        return decide(candidates, to_best=differences, to_control=control, margin=margin, n=n)


HELPS = (0.1, 0.3)
CASES = {
    "the probe is best": (
        Case(
            {"probe": 0.9, "last_block": 0.88, "all": 0.85, "scratch": 0.6},
            {"last_block": (-0.01, 0.05), "all": (0.02, 0.08)},
            HELPS,
        ),
        ("freeze", "probe", "probe", "helps"),
        r"^Freeze the net and fit a ridge head at top: nothing that was fine-tuned did better\.$",
    ),
    "the probe is within the margin of the best": (
        Case({"probe": 0.897, "all": 0.9, "scratch": 0.6}, {"probe": (-0.004, 0.01)}, HELPS),
        ("freeze", "probe", "all", "helps"),
        r"^Freeze the net .*: nothing dearer brought more than 0\.5 points\.$",
    ),
    "fine-tuning the last block is shown to be needed and enough": (
        Case(
            {"probe": 0.7, "last_block": 0.9, "all": 0.9, "scratch": 0.6},
            {"probe": (0.1, 0.3), "all": (-0.01, 0.01)},
            HELPS,
        ),
        ("finetune", "last_block", "last_block", "helps"),
        r"^Fine-tune the last block of the net: \+20\.0 points \(90% interval \+10\.0 to \+30\.0\) "
        rf"over {re.escape(PROBE)}\.$",
    ),
    "fine-tuning the upper half does as well as all": (
        Case(
            {"probe": 0.7, "upper_half": 0.899, "all": 0.9},
            {"probe": (0.1, 0.3), "upper_half": (-0.01, 0.012)},
        ),
        ("finetune", "upper_half", "all", "cannot_tell"),
        r"^Fine-tune the upper half of the net: nothing dearer brought more",
    ),
    "everything must be trained": (
        Case(
            {"probe": 0.6, "last_block": 0.7, "all": 0.9, "scratch": 0.5},
            {"probe": (0.2, 0.4), "last_block": (0.1, 0.3)},
            HELPS,
        ),
        ("train_all", "all", "all", "helps"),
        rf"^Fine-tune all of the net: \+30\.0 points .* over {re.escape(PROBE)}\.$",
    ),
    "seems better and is not shown to be": (
        Case({"probe": 0.86, "all": 0.9, "scratch": 0.6}, {"probe": (-0.01, 0.09)}, HELPS),
        ("cannot_tell", "all", "all", "helps"),
        r"^Cannot tell whether it pays to fine-tune all of the net: \+4\.0 points .* "
        rf"over {re.escape(PROBE)}\. It did better here, so it is what you get; to freeze the net .* may do as well\.$",
    ),
    "seems better than the middle of the ladder and is not shown to be": (
        Case({"probe": 0.6, "last_block": 0.86, "all": 0.9}, {"probe": (0.2, 0.4), "last_block": (-0.01, 0.09)}),
        ("cannot_tell", "all", "all", "cannot_tell"),
        rf"\+4\.0 points .* over {re.escape(LAST)}\. It did better .*; to fine-tune the last block .* may do as well",
    ),
    "within the margin of the best, and a cheaper one is not shown to be worse": (
        Case({"probe": 0.85, "last_block": 0.898, "all": 0.9}, {"probe": (-0.01, 0.11), "last_block": (-0.03, 0.034)}),
        ("cannot_tell", "last_block", "all", "cannot_tell"),
        rf"whether it pays to fine-tune all of the net: \+5\.0 points .* over {re.escape(PROBE)}\. "
        r"To fine-tune the last block of the net is within the margin, and what you get; to freeze the net",
    ),
    "no interval": (
        Case({"probe": 0.8, "all": 0.9, "scratch": 0.6}, {"probe": (None, None)}, (None, None)),
        ("cannot_tell", "all", "all", "cannot_tell"),
        r"\+10\.0 points \(no interval\)",
    ),
    "one candidate": (
        Case({"probe": 0.9, "frozen_random": 0.5}, {}, (0.3, 0.5)),
        ("freeze", "probe", "probe", "helps"),
        r": nothing dearer was tried\.$",
    ),
    "one candidate without a control": (
        Case({"probe": 0.9}),
        ("freeze", "probe", "probe", "cannot_tell"),
        r": nothing dearer was tried\.$",
    ),
    "transfer hurts": (
        Case({"probe": 0.6, "all": 0.7, "scratch": 0.9}, {"probe": (0.05, 0.15)}, (-0.3, -0.1)),
        ("no_transfer", "scratch", "all", "hurts"),
        r"^Transfer hurts here: to train the net from scratch did better\. Train the net from scratch\.$",
    ),
    "transfer makes no difference and the control is ahead": (
        Case({"probe": 0.898, "scratch": 0.9}, {}, (-0.004, 0.002)),
        ("no_transfer", "scratch", "probe", "neutral"),
        r"^Transfer does not help here: to train .* did as well\. Train the net from scratch\.$",
    ),
    "transfer makes no difference and the control is behind": (
        Case({"probe": 0.9, "frozen_random": 0.899}, {}, (-0.003, 0.004)),
        ("no_transfer", "probe", "probe", "neutral"),
        r"to fit a head to random features did as well\. Freeze the net",
    ),
    "it is not shown whether transfer helps": (
        Case({"probe": 0.9, "scratch": 0.88}, {}, (-0.01, 0.05)),
        ("freeze", "probe", "probe", "cannot_tell"),
        r"^Freeze the net",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_built_case_gets_its_known_answer(name: str) -> None:
    case, expected, sentence = CASES[name]
    verdict = case.decide()
    assert (verdict.kind, verdict.chosen, verdict.best, verdict.transfer) == expected
    assert re.search(sentence, verdict.sentence), verdict.sentence
    assert verdict == case.decide()
    said = [verdict.sentence, *verdict.reasons]
    assert all(s.endswith(".") and s[0].isupper() and "\n" not in s and ".." not in s for s in said), said


def reasons(name: str) -> str:
    return "\n".join(CASES[name][0].decide().reasons)


def test_every_step_of_the_ladder_is_told_with_its_interval() -> None:
    said = reasons("fine-tuning the last block is shown to be needed and enough")
    assert (
        f"{PROBE[0].upper() + PROBE[1:]} is shown to be worse than {LAST} by more than 0.5 points: "
        "the difference is +20.0 points (90% interval +10.0 to +30.0)."
    ) in said
    assert f"{ALL[0].upper() + ALL[1:]} is not shown to be worse than {LAST}" in said
    assert len([s for s in said.splitlines() if "the difference is" in s]) == 2


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("the probe is best", f"Transfer helps: {PROBE} against {SCRATCH}, +30.0 points"),
        ("transfer hurts", f"Transfer hurts: {ALL} against {SCRATCH}, -20.0 points"),
        ("transfer makes no difference and the control is ahead", "Transfer makes no difference: "),
        ("it is not shown whether transfer helps", "It is not shown whether transfer helps: "),
        ("one candidate without a control", "No control was run, so nothing says whether transfer helped at all."),
        ("one candidate", "Nothing but frozen features was tried, so nothing says whether fine-tuning"),
        ("no interval", "More groups of validation images would allow an interval."),
    ],
)
def test_reasons_say_what_they_rest_on(name: str, sentence: str) -> None:
    assert sentence in reasons(name)


@pytest.mark.parametrize(("control", "untried"), [("scratch", False), ("frozen_random", True)])
def test_that_scratch_was_not_tried_is_told_whatever_random_features_show(control: str, untried: bool) -> None:
    verdict = Case({"probe": 0.9, control: 0.6}, {}, HELPS).decide()
    assert verdict.transfer == "helps"
    assert any("Training from scratch was not tried" in reason for reason in verdict.reasons) is untried


@pytest.mark.parametrize(("value", "interval", "told"), [(0.83, (-0.08, 0.02), True), (0.79, (-0.02, 0.08), False)])
def test_a_control_that_did_better_by_chance_or_not_is_named(
    value: float, interval: tuple[float, float], told: bool
) -> None:
    verdict = Case({"probe": 0.8, "scratch": value}, {}, interval).decide()
    assert verdict.transfer == "cannot_tell" and verdict.chosen == "probe"
    said = f"That control did better here: to {WHAT['scratch']} may do as well."
    assert (said in verdict.reasons) is told


def test_how_many_images_would_decide() -> None:
    # Half an interval of 5 points must shrink to the 3.5 by which the difference exceeds the margin: n × (5 / 3.5)².
    said = reasons("seems better and is not shown to be")
    assert f"about {round(300 * (0.05 / 0.035) ** 2, -1):.0f} validation images (now 300) would show it" in said


def test_a_difference_at_the_margin_asks_for_no_absurd_number_of_images() -> None:
    case = Case({"probe": 0.8, "all": 0.8055}, {"probe": (-0.05, 0.061)})
    verdict = case.decide()
    assert verdict.kind == "cannot_tell"
    said = " ".join(verdict.reasons)
    assert "too close to the margin" in said and "would show it" not in said


@pytest.mark.parametrize(("interval", "claimed"), [((0.1, 0.3), True), ((-0.1, 0.3), False), ((-0.4, -0.1), False)])
def test_a_control_that_was_still_improving_is_told(interval: tuple[float, float], claimed: bool) -> None:
    verdict = Case({"probe": 0.8, "scratch": 0.6}, {}, interval, rising=True).decide()
    (told,) = [reason for reason in verdict.reasons if "still improving" in reason]
    assert ("transfer is shown to be faster within this budget" in told) is claimed
    calm = Case({"probe": 0.8, "scratch": 0.6}, {}, interval).decide()
    assert not any("still improving" in reason for reason in calm.reasons)


def test_the_margin_decides_what_is_worth_paying_for() -> None:
    case = Case({"probe": 0.86, "all": 0.9, "scratch": 0.5}, {"probe": (0.02, 0.06)}, HELPS)
    assert case.decide(margin=0.005).kind == case.decide(margin=0.019).kind == "train_all"
    assert case.decide(margin=0.03).kind == "cannot_tell"
    assert case.decide(margin=0.05).kind == "freeze"


def test_equal_values_give_the_cheapest() -> None:
    verdict = Case(
        {"probe": 0.9, "last_block": 0.9, "all": 0.9}, {"last_block": (0.0, 0.0), "all": (0.0, 0.0)}
    ).decide()
    assert verdict.chosen == verdict.best == "probe"


def test_what_was_dropped_is_neither_chosen_nor_the_best() -> None:
    """On the folds that it ran it may even have the higher value: other images, or fewer of them."""
    candidates = [
        Candidate("probe", 0.8, WHAT["probe"]),
        Candidate("last_block", 0.9, WHAT["last_block"], dropped=True),
        Candidate("all", 0.86, WHAT["all"]),
    ]
    to_best = {
        "probe": Difference("all", "probe", 0.06, 0.03, 0.09),
        "last_block": Difference("all", "last_block", 0.1, 0.001, 0.2),
    }
    found = decide(candidates, to_best=to_best, to_control=None, margin=MARGIN, n=300)
    assert (found.chosen, found.best, found.kind) == ("all", "all", "train_all")
    said = f"{LAST[:1].upper()}{LAST[1:]} was dropped before its end: on what it ran, {ALL} is ahead by"
    assert any(reason.startswith(said) for reason in found.reasons)


@pytest.mark.parametrize(
    ("low", "kind"), [(-0.01, "no_transfer"), (0.0, "no_transfer"), (0.01, "freeze"), (None, "freeze")]
)
def test_nothing_transfers_where_nothing_is_shown_to_beat_the_most_frequent_class(low: float | None, kind: str) -> None:
    high = None if low is None else 0.09
    candidates = [Candidate("probe", 0.14, WHAT["probe"]), Candidate("all", 0.12, WHAT["all"])]
    found = decide(
        candidates,
        to_best={"all": Difference("probe", "all", 0.02, -0.03, 0.07)},
        to_control=None,
        to_guess=Difference("probe", "guess", 0.04, low, high),
        margin=MARGIN,
        n=300,
    )
    assert (found.kind, found.chosen) == (kind, "probe")
    assert found.sentence.startswith("Nothing is shown to transfer here") is (kind == "no_transfer")
