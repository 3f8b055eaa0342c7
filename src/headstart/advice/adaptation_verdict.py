"""What is said of an adaptation: whether it helps, what that rests on, and why this method or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.advice.adapting import EVEN, SOURCE, SURE, Standing, agreed, akin, of_source, uneven, votes
from headstart.advice.verdict import Transfer, shown
from headstart.evidence import Difference
from headstart.evidence.label_free import VALIDATORS
from headstart.strategies import ADAPTATIONS

LEVEL = 0.9
"""Level of the verdict's interval."""
LIKELY = "Adapting likely helps, if the target holds its classes about evenly"
"""The most that is said without labels: built cases are no measurement on this target."""


@dataclass(frozen=True)
class Basis:
    """What is known of the chosen method against the source's head, without a label of the judged images.

    Attributes
    ----------
    gain : the difference of the metric, and its interval.
    changed : share of the judged images that the two name differently; the true gain is within ± this share.
    labels : labelled target images that `gain` stands on; 0: it stands on built cases.
    judged : how many images are judged.
    """

    gain: Difference
    changed: float
    labels: int
    judged: int


@dataclass(frozen=True)
class Choice:
    """What is handed back, and why.

    Attributes
    ----------
    chosen : a row of the table of adaptations.
    transfer : what adapting brings over the source's head.
    rests_on : what the interval stands on, in words.
    """

    chosen: str
    transfer: Transfer
    sentence: str
    reasons: tuple[str, ...]
    rests_on: str


def conclude(standings: Sequence[Standing], chosen: str, basis: Basis, *, margin: float) -> Choice:
    """The verdict on the chosen method."""
    rests_on = _rests_on(basis)
    preferred = votes(standings)
    if chosen == SOURCE:
        return _hurts(standings, basis, margin) or _kept_source(standings, preferred, rests_on, labels=basis.labels)
    transfer = _transfer(basis, margin)
    said = {"helps": "Adapting helps", "neutral": "Adapting makes no difference", "hurts": "Adapting hurts"}
    word = said.get(transfer, LIKELY if _likely(basis, margin) else "Cannot tell whether adapting helps")
    points = _points(basis.gain, labels=basis.labels)
    sentence = f"{word}: {ADAPTATIONS[chosen].title}, {points} over the source's head. It is handed back."
    reasons = [f"The interval rests on {rests_on}.", _bound(basis), _agreement(chosen, preferred)]
    if any(one.name == chosen for one in agreed(standings)):
        reasons.insert(0, _witnesses(standings, chosen))
    if not basis.labels:
        reasons += _assumed(standings)
    return Choice(chosen, transfer, sentence, tuple(reasons), rests_on)


def _hurts(standings: Sequence[Standing], basis: Basis, margin: float) -> Choice | None:
    """The verdict where the few labels show that adapting hurts; None where they do not.

    They show it of what the witnesses agree on, or else of every method that was measured on them. The intervals
    hold for all methods at once, so that the best of them may be named.
    """
    few = {one.name: one.few for one in standings if one.few is not None}
    worse = {name: found for name, found in few.items() if found.high is not None and found.high < -margin}
    witnessed = next((one.name for one in agreed(standings)), "")
    reasons = [f"The interval rests on {_rests_on(basis)}."]
    if witnessed in worse:
        name, told = witnessed, ADAPTATIONS[witnessed].title
        reasons = [_witnesses(standings, name), "Without these labels it would be handed back.", *reasons]
    elif worse and len(worse) == len(few):
        name = max(worse, key=lambda one: worse[one].value)
        told = ("the best of all that were measured, " if len(few) > 1 else "") + ADAPTATIONS[name].title
    else:
        return None
    points = _points(worse[name], labels=basis.labels)
    sentence = f"Adapting hurts: {told}, {points} over the source's head. The source's head is handed back."
    return Choice(SOURCE, "hurts", sentence, tuple(reasons), _rests_on(basis))


def _kept_source(
    standings: Sequence[Standing], preferred: Mapping[str, Sequence[str]], rests_on: str, *, labels: int
) -> Choice:
    able = [one for one in standings if one.name != SOURCE and ADAPTATIONS[one.name].automatic]
    reasons = []
    if able:
        reasons.append(_agreement(max(able, key=lambda one: one.scores["corr_c"]).name, preferred))
    if labels:
        why = "no method is shown to be better on the labelled target images"
        reasons.append(f"That rests on {rests_on}; more of them would decide it.")
    elif not able:
        why = "without labelled target images none of these methods may be chosen"
        reasons.append("A few of each class would decide it (--labels).")
    elif uneven(standings):
        why = "the target seems to hold few of the classes, and then nothing without labels tells a better method"
        reasons.append(
            f"The source's head, about as sure as at home, finds {_found(standings)}; class correlation is right only "
            "if all are there about evenly."
        )
        reasons.append("A few labelled target images of each class would decide it (--labels).")
    else:
        why = "the validators do not agree on a method"
        reasons.append("What some validators like may do harm, and nothing without labels tells which.")
        reasons.append("A few labelled target images of each class would decide it (--labels).")
    sentence = f"Cannot tell whether adapting helps: {why}. The source's head is handed back."
    return Choice(SOURCE, "cannot_tell", sentence, tuple(reasons), rests_on)


def _transfer(basis: Basis, margin: float) -> Transfer:
    if basis.changed <= margin:
        return "neutral"
    return shown(basis.gain.low, basis.gain.high, margin) if basis.labels else "cannot_tell"


def _likely(basis: Basis, margin: float) -> bool:
    """Whether built cases of such a change gained more than the margin; with labels these decide."""
    return not basis.labels and basis.gain.low is not None and basis.gain.low > margin


def _assumed(standings: Sequence[Standing]) -> list[str]:
    """What must be known of the target from elsewhere."""
    source = of_source(standings)
    if source.even >= EVEN:
        return []
    but = "is less sure than at home" if source.sure < SURE else "has learned from no images like these"
    return [
        f"The source's head finds {_found(standings)}, but {but}: the images may be too unlike, or "
        "classes may be missing. If they are, adapting may do harm; a few labels would tell (--labels)."
    ]


def _found(standings: Sequence[Standing]) -> str:
    return f"classes in the target as if only {100 * of_source(standings).even:.0f} % of them were there"


def _witnesses(standings: Sequence[Standing], chosen: str) -> str:
    ours, source = next(one for one in standings if one.name == chosen), of_source(standings)
    beside = akin(ours, standings)
    trained = f" ({100 * beside.held:.1f} % by the same training without aligning)" if beside is not source else ""
    return (
        f"Two witnesses agree: on the target the class correlation is {ours.scores['corr_c']:.2f} instead of "
        f"{source.scores['corr_c']:.2f}, and on held source images it is right in {100 * ours.held:.1f} % instead of "
        f"{100 * source.held:.1f} %{trained}."
    )


def _agreement(name: str, preferred: Mapping[str, Sequence[str]]) -> str:
    for_it = [VALIDATORS[one].title for one in preferred[name]]
    against = [one.title for one in VALIDATORS.values() if one.name not in preferred[name]]
    title = ADAPTATIONS[name].title
    said = f"Validators that prefer {title} to the source's head: {len(for_it)} of {len(VALIDATORS)}"
    named = [", ".join(for_it)] if for_it else []
    named += [f"not {', '.join(against)}"] if against else []
    return f"{said} ({'; '.join(named)})."


def _rests_on(basis: Basis) -> str:
    if basis.labels:
        return f"{basis.labels} labelled target images, by models that had not seen their labels"
    return "what adapted models gained on images that were blurred, made noisy, pale or recoloured, not on the target"


def _bound(basis: Basis) -> str:
    share = 100 * basis.changed
    return (
        f"It names {share:.1f} % of the {basis.judged:,} judged images unlike the source's head, so whatever their "
        f"labels are, the difference there is at most {share:.1f} points."
    )


def _points(gain: Difference, *, labels: int) -> str:
    value = f"{100 * gain.value:+.1f} points"
    if gain.low is None or gain.high is None:
        return f"{value} (no interval)"
    what = f"{LEVEL:.0%} interval" if labels else f"expected, {LEVEL:.0%} of built cases"
    return f"{value} ({what} {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
