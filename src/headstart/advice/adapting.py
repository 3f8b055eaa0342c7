"""Which adapted model is handed back, and whether adapting helps: chosen without a label of the target.

A rule of this file sees what `Standing` holds, and that holds no label of the judged images: a record that has read
them is refused where standings are made. Its numbers were fixed on built corruptions (blur, noise, contrast, colour)
and on halves of one domain, and frozen before it was tried on other domains; `KEPT`, `EVEN` and `SURE` came after that,
when all domains had been seen, and so did `TRAINED`: see docs/decisions/0036, 0041 and 0042.
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
TRAINED = "finetuned_source"
"""Whose loss that of a row that trains is compared with: a network is surer than a head on stored features."""
LEVEL = 0.9
"""Level of the verdict's interval."""
RECOVERED = 0.10
"""Of what the source's head lacks of a class correlation of one, a method must recover this share."""
HELD = 0.02
"""On held source images, seen its own way, it may lose so much of the metric …"""
WEIGHTED = 0.05
"""… and have a weighted loss that is higher by this share, where weights leave `ENOUGH` images."""
ENOUGH = 30.0
KEPT = 0.2
"""Where they leave fewer, the model that is handed back may lose this share of the metric on held source images."""
EVEN = 2 / 3
"""Where the source's head finds fewer classes in the target than this share of all, by their effective number …"""
SURE = 0.9
"""… and is on the target at least this sure, in parts of how sure it is on held source images, it is believed."""
LIKELY = "Adapting likely helps, if the target holds its classes about evenly"
"""The most that is said without labels: built cases are no measurement on this target."""
PER_CHANGE = (0.2, 0.7, 1.8)
"""Gain over (share recovered × share of images named differently): 5, 50, 95 % of the built cells of decision 0036."""


@dataclass(frozen=True)
class Standing:
    """A method as its record tells it.

    Attributes
    ----------
    scores : by validator, higher is better.
    held : the metric on held source images, seen the method's own way.
    kept : the same by the model as it would be handed back.
    effective : how many of these the weights of the validators leave.
    even : the effective number of classes in its mean prediction on the target, in parts of all classes.
    sure : its mean largest probability on the target, in parts of that on held source images.
    few : the difference of the metric to the source's head on the few labelled target images, by models that had
        not seen their labels, its interval one of all methods' at once; None where it was not measured.
    """

    name: str
    scores: Mapping[str, float]
    held: float
    kept: float
    effective: float
    even: float
    sure: float
    few: Difference | None = None


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


def standing(record: Record, few: Difference | None = None) -> Standing:
    """A method's record as what a choice may see.

    Raises
    ------
    InternalError : the record has read labels of the target that were not given: it is an oracle's.
    """
    if record.reads_target_labels:
        raise InternalError(f"{record.key} has read the target's labels, and nothing may be chosen by it")
    scores = {name: record.metrics[name] for name in VALIDATORS}
    others = {name: float(record.metrics[name]) for name in ("held", "kept", "effective", "even", "sure")}
    return Standing(record.strategy, scores, few=few, **others)


def votes(standings: Sequence[Standing]) -> dict[str, tuple[str, ...]]:
    """By method, the validators that prefer it to the source's head."""
    source = _source(standings)
    return {
        one.name: tuple(name for name in VALIDATORS if one.scores[name] > source.scores[name])
        for one in standings
        if one.name != SOURCE
    }


def recovered(one: Standing, source: Standing) -> float:
    """Of what the source's head lacks of a class correlation of one, the share that a method recovers."""
    lacking = max(1 - source.scores["corr_c"], 1e-9)
    return (one.scores["corr_c"] - source.scores["corr_c"]) / lacking


def uneven(standings: Sequence[Standing]) -> bool:
    """Whether the target seems to hold few of the classes, so that class correlation is no witness.

    Class correlation rewards a model for spreading over all classes, right or wrong. The target's prior is estimated
    by the source head's mean prediction. Where the features have moved far, such a head names few classes whatever
    there is, so that it is believed only where it is about as sure as on its own domain.
    """
    source = _source(standings)
    return source.even < EVEN and source.sure >= SURE


def agreed(standings: Sequence[Standing]) -> list[Standing]:
    """Methods on which a witness on the target and one on the source agree, the best first.

    The target's is the class correlation, which must rise noticeably. The source's is the metric on held images, and
    the loss on them weighted towards the target, which must not get worse; where the weights leave too few images to
    say so, the model that is handed back must still be right on most of the source. Losses are compared within a
    family: of a row that trains, with the network that was fine-tuned on the source. Entropy and neighbourhoods have
    no vote: on the built cases they preferred models that gave most images one class. Rows that are not `automatic`
    are left out. Where the target is `uneven` there is no witness on it.
    """
    source = _source(standings)
    trained = next((one for one in standings if one.name == TRAINED), source)
    if uneven(standings):
        return []

    def witnessed(one: Standing) -> bool:
        if one.effective < ENOUGH:
            weighted = one.kept >= source.kept * (1 - KEPT)
        else:
            akin = trained if ADAPTATIONS[one.name].training else source
            weighted = one.scores["iwv"] >= akin.scores["iwv"] * (1 + WEIGHTED)
        return recovered(one, source) >= RECOVERED and one.held >= source.held - HELD and weighted

    able = [one for one in standings if ADAPTATIONS[one.name].automatic]
    return sorted((one for one in able if witnessed(one)), key=lambda one: -one.scores["corr_c"])


def choose(standings: Sequence[Standing]) -> str:
    """The method to hand back; the source's head where nothing shows that another is better.

    With few labels, the method with the largest gain on them among those that are shown to be better there, or else
    what is agreed on without labels, if the few do not speak against it.
    """
    without = agreed(standings)
    if any(one.few is not None for one in standings):
        shown = [one for one in standings if one.few is not None and one.few.low is not None and one.few.low > 0]
        if shown:
            return max(shown, key=lambda one: one.few.value if one.few else 0.0).name
        without = [one for one in without if one.few is not None and one.few.value >= 0]
    return without[0].name if without else SOURCE


def expected(standings: Sequence[Standing], chosen: str, changed: float) -> Difference:
    """The gain to be expected without labels, from how models fared on built cases.

    Of the images that two models name differently, the adapted one was right more often by about `PER_CHANGE` times
    the share of class correlation that it recovered.
    """
    if chosen == SOURCE:
        return Difference(0.0, 0.0, 0.0)
    by_name = {one.name: one for one in standings}
    size = recovered(by_name[chosen], by_name[SOURCE]) * changed
    low, middle, high = (per * size for per in PER_CHANGE)
    return Difference(middle, max(low, -changed), min(high, changed))


def conclude(standings: Sequence[Standing], chosen: str, basis: Basis, *, margin: float) -> Choice:
    """The verdict on the chosen method."""
    rests_on = _rests_on(basis)
    preferred = votes(standings)
    if chosen == SOURCE:
        return _kept_source(standings, preferred, rests_on, labels=basis.labels)
    transfer = _transfer(basis, margin)
    said = {"helps": "Adapting helps", "neutral": "Adapting makes no difference", "hurts": "Adapting hurts"}
    word = said.get(transfer, LIKELY if _likely(basis, margin) else "Cannot tell whether adapting helps")
    sentence = f"{word}: {ADAPTATIONS[chosen].title}, {_points(basis)} over the source's head. It is handed back."
    reasons = [f"The interval rests on {rests_on}.", _bound(basis), _agreement(chosen, preferred)]
    if any(one.name == chosen for one in agreed(standings)):
        reasons.insert(0, _witnesses(standings, chosen))
    if not basis.labels:
        reasons += _assumed(standings)
    return Choice(chosen, transfer, sentence, tuple(reasons), rests_on)


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


def _source(standings: Sequence[Standing]) -> Standing:
    return next(one for one in standings if one.name == SOURCE)


def _transfer(basis: Basis, margin: float) -> Transfer:
    gain = basis.gain
    if basis.changed <= margin:
        return "neutral"
    if not basis.labels or gain.low is None or gain.high is None:
        return "cannot_tell"
    if gain.low > 0:
        return "helps"
    if gain.high < 0:
        return "hurts"
    return "neutral" if -margin <= gain.low and gain.high <= margin else "cannot_tell"


def _likely(basis: Basis, margin: float) -> bool:
    """Whether built cases of such a change gained more than the margin; with labels these decide."""
    return not basis.labels and basis.gain.low is not None and basis.gain.low > margin


def _assumed(standings: Sequence[Standing]) -> list[str]:
    """What must be known of the target from elsewhere."""
    if _source(standings).even >= EVEN:
        return []
    return [
        f"The source's head finds {_found(standings)}, but is less sure than at home: the images may be too unlike, or "
        "classes may be missing. If they are, adapting may do harm; a few labels would tell (--labels)."
    ]


def _found(standings: Sequence[Standing]) -> str:
    return f"classes in the target as if only {100 * _source(standings).even:.0f} % of them were there"


def _witnesses(standings: Sequence[Standing], chosen: str) -> str:
    ours, source = next(one for one in standings if one.name == chosen), _source(standings)
    return (
        f"Two witnesses agree: on the target the class correlation is {ours.scores['corr_c']:.2f} instead of "
        f"{source.scores['corr_c']:.2f}, and on held source images it is right in {100 * ours.held:.1f} % instead of "
        f"{100 * source.held:.1f} %."
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


def _points(basis: Basis) -> str:
    gain = basis.gain
    value = f"{100 * gain.value:+.1f} points"
    if gain.low is None or gain.high is None:
        return f"{value} (no interval)"
    what = f"{LEVEL:.0%} interval" if basis.labels else f"expected, {LEVEL:.0%} of built cases"
    return f"{value} ({what} {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
