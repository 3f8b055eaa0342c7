"""Which adapted model is handed back, and whether adapting helps: chosen without a label of the target.

A rule of this file sees what `Standing` holds, and that holds no label of the judged images: a record that has read
them is refused where standings are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.errors import InternalError
from headstart.evidence import Difference
from headstart.evidence.label_free import VALIDATORS
from headstart.records import Record
from headstart.strategies import ADAPTATIONS

Transfer = Literal["helps", "neutral", "hurts", "cannot_tell"]

SOURCE = "source_only"
LEVEL = 0.9
"""Level of the verdict's interval."""
AGREE = 4
"""Validators, of five, that must prefer a method to the source's head."""


@dataclass(frozen=True)
class Standing:
    """A method as its record tells it.

    Attributes
    ----------
    scores : by validator, higher is better.
    few : the metric on the few labelled target images, by models that had not seen them; None where there are none.
    """

    name: str
    scores: Mapping[str, float]
    few: float | None = None


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


def standing(record: Record) -> Standing:
    """A method's record as what a choice may see.

    Raises
    ------
    InternalError : the record has read labels of the target that were not given: it is an oracle's.
    """
    if record.reads_target_labels:
        raise InternalError(f"{record.key} has read the target's labels, and nothing may be chosen by it")
    few = record.detail["few"].get("value") if record.detail.get("few") else None
    return Standing(record.strategy, {name: record.metrics[name] for name in VALIDATORS}, few)


def votes(standings: Sequence[Standing]) -> dict[str, tuple[str, ...]]:
    """By method, the validators that prefer it to the source's head."""
    source = next(one for one in standings if one.name == SOURCE)
    return {
        one.name: tuple(name for name in VALIDATORS if one.scores[name] > source.scores[name])
        for one in standings
        if one.name != SOURCE
    }


def choose(standings: Sequence[Standing]) -> str:
    """The method to hand back."""
    few = [one for one in standings if one.few is not None]
    if few:
        return max(few, key=lambda one: one.few or 0.0).name
    preferred = votes(standings)
    agreed = [one for one in standings if len(preferred.get(one.name, ())) >= AGREE]
    if not agreed:
        return SOURCE
    return max(agreed, key=lambda one: sum(one.scores[name] for name in VALIDATORS)).name


@dataclass(frozen=True)
class Basis:
    """What is known of the chosen method against the source's head, without a label of the judged images.

    Attributes
    ----------
    gain : the difference of the metric, on the few labelled target images or on weighted source images.
    changed : share of the judged images that the two name differently; the true gain is within ± this share.
    labels : labelled target images that `gain` stands on; 0: it stands on source images.
    judged : how many images are judged.
    """

    gain: Difference
    changed: float
    labels: int
    judged: int


def conclude(standings: Sequence[Standing], chosen: str, basis: Basis, *, margin: float) -> Choice:
    """The verdict on the chosen method."""
    title = ADAPTATIONS[chosen].title
    preferred = votes(standings)
    if chosen == SOURCE:
        nearest = max(preferred, key=lambda name: len(preferred[name]), default="")
        return _kept_source(nearest, preferred, basis, labels=basis.labels)
    transfer = _transfer(basis, margin)
    rests_on = _rests_on(basis)
    said = {"helps": "Adapting helps", "neutral": "Adapting makes no difference", "hurts": "Adapting hurts"}
    word = said.get(transfer, "Cannot tell whether adapting helps")
    sentence = f"{word}: {title}, {_points(basis.gain)} over the source's head. It is handed back."
    reasons = (
        _agreement(chosen, preferred),
        f"The interval rests on {rests_on}.",
        _bound(basis),
    )
    return Choice(chosen, transfer, sentence, reasons, rests_on)


def _kept_source(nearest: str, preferred: Mapping[str, Sequence[str]], basis: Basis, *, labels: int) -> Choice:
    if labels:
        sentence = "The source's head is handed back: no method did better on the labelled target images."
        rests_on = _rests_on(basis)
        return Choice(SOURCE, "cannot_tell", sentence, (f"That rests on {rests_on}.",), rests_on)
    sentence = "Cannot tell whether adapting helps: the validators do not agree, so the source's head is handed back."
    reasons = ["Without labels nothing else is safe: a method that some validators like may do harm."]
    if nearest:
        reasons.insert(0, _agreement(nearest, preferred))
    reasons.append("A few labelled target images of each class would decide it (--labels).")
    return Choice(SOURCE, "cannot_tell", sentence, tuple(reasons), "the agreement of validators")


def _transfer(basis: Basis, margin: float) -> Transfer:
    gain = basis.gain
    if basis.changed <= margin:
        return "neutral"
    if gain.low is None or gain.high is None:
        return "cannot_tell"
    if gain.low > 0:
        return "helps"
    if gain.high < 0:
        return "hurts"
    return "neutral" if -margin <= gain.low and gain.high <= margin else "cannot_tell"


def _agreement(name: str, preferred: Mapping[str, Sequence[str]]) -> str:
    for_it = [VALIDATORS[one].title for one in preferred[name]]
    against = [one.title for one in VALIDATORS.values() if one.name not in preferred[name]]
    title = ADAPTATIONS[name].title
    said = f"{len(for_it)} of {len(VALIDATORS)} validators prefer {title} to the source's head"
    named = [f"{', '.join(for_it)}"] if for_it else []
    named += [f"not {', '.join(against)}"] if against else []
    return f"{said} ({'; '.join(named)})."


def _rests_on(basis: Basis) -> str:
    if basis.labels:
        return f"{basis.labels} labelled target images, named by models that had not seen them"
    return (
        "held source images that count as likely as the target makes them: it is right where images that look alike "
        "have the same class in both domains"
    )


def _bound(basis: Basis) -> str:
    share = f"{100 * basis.changed:.1f} %"
    return (
        f"The two name {share} of the {basis.judged:,} judged images differently, so whatever their labels are, "
        f"the difference there is at most {100 * basis.changed:.1f} points."
    )


def _points(gain: Difference) -> str:
    value = f"{100 * gain.value:+.1f} points"
    if gain.low is None or gain.high is None:
        return f"{value} (no interval)"
    return f"{value} ({LEVEL:.0%} interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
