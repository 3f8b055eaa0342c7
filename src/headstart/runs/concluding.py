"""From what was measured to the five answers, the case and the methods: words and rules are `advice`'s."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.advice import answers as say
from headstart.advice.answers import Answer, Size
from headstart.advice.case import name_case
from headstart.advice.methods import rulings
from headstart.advice.situation import SEPARATE, Judgement, Situation, judge
from headstart.evidence.bootstrap import Difference
from headstart.evidence.two_sample import Told
from headstart.problem import mapped
from headstart.runs.compared import GivenClass, Heads, Labels, Marginal, Prior, Side, Spaces, Use, Verdict


def conclude(
    spaces: Spaces,
    marginal: Marginal | None,
    labels: Labels | None,
    prior: Prior | None,
    given_class: GivenClass | None,
    conditional: Heads | None,
    *,
    tolerance: float,
) -> Verdict:
    """The five answers by the size that the user tolerates (a share), the case, and a ruling on every method."""
    given = _judged(given_class, tolerance)
    answers = (
        _space(spaces),
        _marginal(marginal, tolerance),
        _labels(labels),
        _prior(prior, labels, given_class, tolerance),
        _conditional(conditional, labels, tolerance),
    )
    by_name = {answer.about: answer.judgement for answer in answers}
    situation = Situation(
        feature_space=by_name["space"],
        marginal=by_name["marginal"],
        given_class=given,
        prior=by_name["prior"],
        conditional=by_name["conditional"],
        label_space=labels.relation if labels else "unknown",  # type: ignore[arg-type]
        shared=len(labels.shared) if labels else 0,
        source_labels=bool(spaces.source.classes),
        target_labels=bool(spaces.target.classes),
        overlap=marginal.cuts[-1].value < SEPARATE if marginal else None,
        images=spaces.source.features is None,
    )
    uses = tuple(
        Use(r.method.name, r.method.title, r.method.family, r.method.paper, r.verdict, r.reasons)
        for r in rulings(situation)
    )
    return Verdict(answers, name_case(situation), uses)


def _judged(found: GivenClass | None, tolerance: float) -> Judgement:
    return judge(found.low, found.high, chance=say.CHANCE, tolerance=tolerance) if found else "unknown"


def _space(spaces: Spaces) -> Answer:
    source, target = spaces.source, spaces.target
    if source.features is not None:
        same = source.features == target.features
        told = f"Arrays of {source.features:,} and {target.features:,} features."
        return Answer("space", say.QUESTIONS["space"], "same" if same else "different", told)
    told = f"Images on both sides: {_described(source)} against {_described(target)}; all become squares of RGB."
    return Answer("space", say.QUESTIONS["space"], "same", told)


def _described(side: Side) -> str:
    assert side.width is not None and side.height is not None and side.grey is not None
    colour = "grey" if side.grey > 0.95 else "in colour" if side.grey < 0.05 else f"{100 * side.grey:.0f} % grey"
    varied = side.width[0] != side.width[2] or side.height[0] != side.height[2]
    return f"{'about ' if varied else ''}{side.width[1]} × {side.height[1]} pixels, {colour}"


def _marginal(found: Marginal | None, tolerance: float) -> Answer:
    if found is None:
        return say.unknown("marginal", "Features of different widths have no common distribution.")
    lower = _size(found.lower) if found.lower else None
    return say.marginal_answer(_size(found), clearest=found.clearest, lower=lower, tolerance=tolerance)


def _labels(found: Labels | None) -> Answer:
    if found is None:
        return say.unknown("label space", "Without labels on both sides the classes cannot be compared.")
    counts = f"{len(found.shared)} shared, {len(found.source_only)} of the source alone, "
    told = f"{found.relation.capitalize()}: {counts}{len(found.target_only)} of the target alone."
    if found.relation == "same":
        told = f"All {len(found.shared)} classes are shared."
    if found.near:
        offered = " ".join(mapped(one, other) for one, other in found.near[:5])
        told += f" Nearly the same names: {offered} would take them for one."
    same = found.relation == "same"
    return Answer("label space", say.QUESTIONS["label space"], "same" if same else "different", told)


def _prior(found: Prior | None, labels: Labels | None, given: GivenClass | None, tolerance: float) -> Answer:
    if found is None and labels is not None:
        return say.unknown("prior", "With fewer than two shared classes there is nothing to compare.")
    if found is None:
        return say.unknown("prior", "Without labels of the source there is no class to be counted.")
    if found.told is not None:
        shared = len(found.classes) if labels and labels.relation != "same" else None
        return say.prior_answer(_size(found.told), shared=shared, tolerance=tolerance)
    best = found.estimates[0]
    size = Size(*(say.CHANCE + each for each in (best.distance, best.distance_low, best.distance_high)))
    remains = given is None or given.p <= say.SHOWN
    return say.estimated_prior_answer(size, given_class=_judged(given, tolerance), remains=remains, tolerance=tolerance)


def _conditional(found: Heads | None, labels: Labels | None, tolerance: float) -> Answer:
    if labels is None:
        return say.unknown("conditional", "Without target labels nothing is known of P(Y|X): not that it is the same.")
    if found is None:
        return say.unknown("conditional", "Too few labels of shared classes to compare P(Y|X).")
    return say.conditional_answer(
        _size(found.accuracy),
        gain=_size(found.gain),
        cost=_size(found.cost),
        shared=len(labels.shared),
        tolerance=tolerance,
    )


def _size(found: Marginal | Told | Difference) -> Size:
    return Size(found.value, found.low, found.high, getattr(found, "p", None))


def sentences(answers: Sequence[Answer]) -> list[str]:
    """Question, judgement and sentence of every answer."""
    return [f"{one.question} {one.judgement.capitalize()}. {one.sentence}" for one in answers]
