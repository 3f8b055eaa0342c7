"""Which adapted model is handed back: chosen without a label of the target.

A rule of this file sees what `Standing` holds, and that holds no label of the judged images: a record that has read
them is refused where standings are made. Its numbers were fixed on built corruptions (blur, noise, contrast, colour)
and on halves of one domain, and frozen before it was tried on other domains; `KEPT`, `EVEN` and `SURE` came after that,
when all domains had been seen, and so did what a row that trains is compared with: see docs/decisions/0036, 0041, 0042
and 0050.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.errors import InternalError
from headstart.evidence import Difference
from headstart.evidence.label_free import VALIDATORS
from headstart.records import Record
from headstart.strategies import ADAPTATIONS

SOURCE = "source_only"
TRAINED = "finetuned_source"
"""What a row that trains is compared with: aligning is judged by what it changes of the same training without it."""
RECOVERED = 0.10
"""Of what the source's head lacks of a class correlation of one, a method must recover this share."""
HELD = 0.02
"""On held source images, seen its own way, it may lose so much of the metric …"""
WEIGHTED = 0.05
"""… and have a weighted loss that is higher by this share, where weights leave `ENOUGH` images."""
ENOUGH = 30.0
KEPT = 0.2
"""The model that is handed back may lose this share of the metric of the source's head on held source images."""
EVEN = 2 / 3
"""Where the source's head finds fewer classes in the target than this share of all, by their effective number …"""
SURE = 0.9
"""… and is on the target at least this sure, in parts of how sure it is on held source images …"""
OVERLAP = 0.5
"""… and the mean of the weights of these, which is one by definition, is at least so large, it is believed."""
PER_CHANGE = (0.2, 0.7, 1.8)
"""Gain over (share recovered × share of images named differently): 5, 50, 95 % of the built cells of decision 0036."""


STANDING = ("held", "kept", "effective", "overlap", "even", "sure")
"""What a standing takes from a record's metrics beside the validators."""


@dataclass(frozen=True)
class Standing:
    """A method as its record tells it.

    Attributes
    ----------
    scores : by validator, higher is better.
    held : the metric on held source images, seen the method's own way.
    kept : the same by the model as it would be handed back.
    effective : how many of these the weights of the validators leave, by Kish and by their sum.
    overlap : the mean of these weights: near one where the source has images as the target's, near nought where not.
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
    overlap: float
    even: float
    sure: float
    few: Difference | None = None


def standing(record: Record, few: Difference | None = None) -> Standing:
    """A method's record as what a choice may see.

    Raises
    ------
    InternalError : the record has read labels of the target that were not given: it is an oracle's.
    """
    if record.reads_target_labels:
        raise InternalError(f"{record.key} has read the target's labels, and nothing may be chosen by it")
    scores = {name: record.metrics[name] for name in VALIDATORS}
    others = {name: float(record.metrics[name]) for name in STANDING}
    return Standing(record.strategy, scores, few=few, **others)


def votes(standings: Sequence[Standing]) -> dict[str, tuple[str, ...]]:
    """By method, the validators that prefer it to the source's head."""
    source = of_source(standings)
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
    there is, so that it is believed only where it is about as sure as on its own domain, and where that domain has
    images like these: a head may be sure of one class wherever its features have never been.
    """
    source = of_source(standings)
    return source.even < EVEN and source.sure >= SURE and source.overlap >= OVERLAP


def agreed(standings: Sequence[Standing]) -> list[Standing]:
    """Methods on which a witness on the target and one on the source agree, the best first.

    The target's is the class correlation, which must rise noticeably. The source's is the metric on held images, and,
    where the weights leave enough of them to say so, the loss on them weighted towards the target: neither may get
    worse. Both are compared within a family: those of a row that trains with the network that was fine-tuned on the
    source, as what that loses at home is not the aligning's doing. Of that network itself, whose loss is its own
    measure, the metric is compared with the head's. The model that is handed back must still be right
    on most of the source. Entropy and neighbourhoods have no vote: on the built cases they preferred models that gave
    most images one class. Rows that are not `automatic` are left out. Where the target is `uneven` there is no
    witness on it.
    """
    source = of_source(standings)
    if uneven(standings):
        return []

    def witnessed(one: Standing) -> bool:
        beside = akin(one, standings)
        # A network is surer than a head, fine-tuned on the source or not: its loss stands beside no head's (0042).
        loss = one if one.name == TRAINED else beside
        weighted = one.effective < ENOUGH or one.scores["iwv"] >= loss.scores["iwv"] * (1 + WEIGHTED)
        at_home = one.held >= beside.held - HELD and one.kept >= source.kept * (1 - KEPT)
        return recovered(one, source) >= RECOVERED and at_home and weighted

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


def akin(one: Standing, standings: Sequence[Standing]) -> Standing:
    """What a method stands beside on the source: of a row that aligns the same training without it, else the head."""
    aligns = ADAPTATIONS[one.name].training and one.name != TRAINED
    trained = next((other for other in standings if other.name == TRAINED), None)
    return trained if aligns and trained is not None else of_source(standings)


def of_source(standings: Sequence[Standing]) -> Standing:
    """The source's head, that everything is compared with."""
    return next(one for one in standings if one.name == SOURCE)
