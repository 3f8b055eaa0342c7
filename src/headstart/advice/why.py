"""Why: how many labels there are, how far the domain is, and where the features specialise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headstart.advice.verdict import LEVEL, Difference


@dataclass(frozen=True)
class CutValue:
    """What ridge reads at one cut of the frozen network, out of fold, with its 95 % interval."""

    cut: str
    value: float
    low: float | None


@dataclass(frozen=True)
class Facts:
    """What the records tell beside the candidates.

    Attributes
    ----------
    labels, classes : images to learn from, training and validation part together, and their classes.
    most_trained : parameters of the candidate that trains the most of them by backpropagation; None where none did.
    cuts : of the backbone in question, from the image to the top.
    over_random : the frozen network minus the same one with random weights, or None where that was not run.
    """

    labels: int
    classes: int
    most_trained: int | None
    cuts: Sequence[CutValue]
    over_random: Difference | None


def why(facts: Facts, *, margin: float) -> tuple[str, ...]:
    """Sentences, one for each cause that the records speak of; what they do not show is said not to be shown.

    >>> why(Facts(400, 10, None, [], None), margin=0.005)
    ('Labels: 400 images, 40 a class.',)
    """
    return tuple(sentence for sentence in (_labels(facts), _domain(facts, margin), _layers(facts)) if sentence)


def _labels(facts: Facts) -> str:
    each = facts.labels / facts.classes
    said = f"Labels: {facts.labels:,} images, {each:.0f} a class"
    if facts.most_trained is None:
        return said + "."
    return f"{said}; fine-tuning fits up to {facts.most_trained:,} parameters to them."


def _domain(facts: Facts, margin: float) -> str:
    found = facts.over_random
    if found is None:
        return ""
    value = f"{100 * found.value:+.1f} points"
    if found.low is None or found.high is None:
        return f"Domain: the source's features are {value} from random ones of the same network (no interval)."
    value += f" ({LEVEL:.0%} interval {100 * found.low:+.1f} to {100 * found.high:+.1f})"
    if found.low > margin:
        held = "what it learned on its own images holds on these"
    elif found.high < margin:
        held = "what it learned on its own images does not hold on these, or was little"
    else:
        held = "it is not shown that what it learned on its own images holds on these"
    return f"Domain: the source's features against random ones of the same network: {value}; {held}."


def _layers(facts: Facts) -> str:
    if len(facts.cuts) < 2:
        return ""
    best, top = max(facts.cuts, key=lambda c: c.value), facts.cuts[-1]
    said = f"Specialised layers: of single cuts {best.cut} reads best ({100 * best.value:.1f}%)"
    if best is top:
        return f"{said}: nothing shows that the layers below it would transfer better."
    less = f"{said}, the {top.cut} {100 * (best.value - top.value):.1f} points less"
    if best.low is not None and top.value < best.low:
        return f"{less}: the layers above it are specialised to the source's task."
    return f"{less}, which is within its interval: it is not shown that the layers above it are specialised."
