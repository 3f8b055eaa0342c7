"""The five questions of a problem card, answered in words: size first, then whether it is shown at all."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.advice.situation import Judgement, judge

CHANCE = 0.5
SHOWN = 0.05
"""P-value up to which a difference is shown, however small."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes
    ----------
    about : ``space``, ``marginal``, ``label space``, ``prior`` or ``conditional``.
    question : as a reader would ask it.
    judgement : by the size that the user tolerates.
    sentence : the answer with its numbers.
    value, low, high : the size in points above chance, or of accuracy; None where it has none.
    """

    about: str
    question: str
    judgement: Judgement
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Size:
    """An accuracy or a difference of accuracies, with its interval, and the p-value of no difference, if any."""

    value: float
    low: float | None
    high: float | None
    p: float | None = None


QUESTIONS = {
    "space": "Same feature space?",
    "marginal": "Same marginal P(X)?",
    "label space": "Same label space?",
    "prior": "Same class prior P(Y)?",
    "conditional": "Same conditional P(Y|X)?",
}


def unknown(about: str, why: str) -> Answer:
    """The answer where there is nothing to measure it by: never *same*."""
    return Answer(about, QUESTIONS[about], "unknown", why)


def marginal_answer(found: Size, *, clearest: str, lower: Size | None, tolerance: float) -> Answer:
    """P(X): how well held-out images are told apart, at which cut, and what that says of style and content."""
    said = judge(found.low, found.high, chance=CHANCE, tolerance=tolerance)
    told = f"Held-out images are told apart in {accuracy(found)} of cases, where 50 % is chance"
    shown = f"{told} (clearest at {clearest}, {p_words(found.p)})."
    layer = f" {level_words(lower)}" if lower is not None and said == "different" else ""
    return _sized("marginal", said, shown + layer, found, tolerance)


def level_words(lower: Size) -> str:
    """Style or content, by the accuracy at the lower cuts minus that at the top.

    >>> level_words(Size(0.2, 0.1, 0.3))
    'Lower cuts see it more clearly than the top: low-level style.'
    """
    if lower.low is not None and lower.low > 0:
        return "Lower cuts see it more clearly than the top: low-level style."
    if lower.high is not None and lower.high < 0:
        return "The top sees it more clearly than lower cuts: content."
    return "Lower cuts and the top see it about equally: style, content, or both."


def prior_answer(found: Size, *, shared: int | None, tolerance: float) -> Answer:
    """P(Y) with labels on both sides: the domains told apart by the class alone; `shared` where not all are."""
    said = judge(found.low, found.high, chance=CHANCE, tolerance=tolerance)
    among = f"Among the {shared} shared classes, the" if shared else "The"
    sentence = f"{among} class alone tells the domains apart in {accuracy(found)} of cases ({p_words(found.p)})."
    return _sized("prior", said, sentence, found, tolerance)


def estimated_prior_answer(found: Size, *, given_class: Judgement, remains: bool, tolerance: float) -> Answer:
    """P(Y) without target labels: an estimate by BBSE, which holds where P(X|Y) is the same.

    Parameters
    ----------
    given_class : P(X|Y), once the source is re-weighted by the estimate.
    remains : whether a difference is shown then, of any size.
    """
    if given_class == "different":
        return unknown(
            "prior",
            "Estimates cannot be trusted: P(X|Y) differs, for no prior makes the source look like the target.",
        )
    estimated = f"Estimated from a source classifier, the class alone would tell {accuracy(found)} of cases"
    if given_class != "same" and remains:
        sentence = f"{estimated}, if P(X|Y) is the same, which cannot be told."
        return Answer("prior", QUESTIONS["prior"], "cannot tell", sentence, *_above(found))
    said = judge(found.low, found.high, chance=CHANCE, tolerance=tolerance)
    return _sized("prior", said, f"{estimated}; nothing else is shown to differ.", found, tolerance)


def conditional_answer(found: Size, *, gain: Size, cost: Size, shared: int, tolerance: float) -> Answer:
    """P(Y|X): what it brings that a classifier may differ between the domains."""
    said = judge(found.low, found.high, chance=0.0, tolerance=tolerance)
    # Smaller than what is tolerated, yet shown: a few classes may differ much.
    if said == "same" and gain.low is not None and gain.low > 0:
        said = "cannot tell"
    told = f"On {shared} shared classes, a classifier of its own for each domain brings {points(found)}"
    loss = f"in log loss {gain.value:+.3f} nats{ends(gain, '+.3f', 1)}".replace("-", "−")
    apart = f"On the target, the source's head is {points(cost)} from the target's own"
    why = (
        ": the features moved, not what they mean."
        if said == "same" and cost.high is not None and cost.high < 0
        else "."
    )
    sentence = f"{told} over one for both ({loss}). {apart}{why}"
    return Answer("conditional", QUESTIONS["conditional"], said, sentence, found.value, found.low, found.high)


def _sized(about: str, said: Judgement, sentence: str, found: Size, tolerance: float) -> Answer:
    if said == "same" and found.p is not None and found.p <= SHOWN:
        sentence += f" A difference is shown, but it is smaller than {100 * tolerance:g} points above chance."
    return Answer(about, QUESTIONS[about], said, sentence, *_above(found))


def _above(found: Size) -> tuple[float, float | None, float | None]:
    low, high = (None if end is None else end - CHANCE for end in (found.low, found.high))
    return found.value - CHANCE, low, high


def accuracy(found: Size) -> str:
    """``84.5 % (81.0 to 88.0)``."""
    return f"{100 * found.value:.1f} %{ends(found, '.1f', 100)}"


def points(found: Size) -> str:
    """``+1.3 points (−0.4 to +3.0)``."""
    return f"{100 * found.value:+.1f} points{ends(found, '+.1f', 100)}".replace("-", "−")


def ends(found: Size, form: str, scale: float) -> str:
    """The interval in brackets; nothing where there is none."""
    if found.low is None or found.high is None:
        return ""
    return f" ({scale * found.low:{form}} to {scale * found.high:{form}})"


def p_words(p: float | None) -> str:
    """A p-value as one says it."""
    return "no p-value" if p is None else f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
