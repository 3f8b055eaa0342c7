"""What is known of a source and a target: by size, not by significance alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Judgement = Literal["same", "different", "cannot tell", "unknown"]
Relation = Literal["same", "partial", "open", "open partial", "disjoint", "unknown"]

SEPARATE = 0.95
"""Accuracy in telling the domains apart from which on they hardly overlap: nine in ten images have no counterpart."""

SHIFT_OF_X = "shift of P(X)"
"""Its name where P(Y|X) is not shown to be the same."""


@dataclass(frozen=True)
class Situation:
    """A source and a target, as far as the data show.

    Attributes
    ----------
    feature_space : whether both are of one kind: images, or arrays of one width.
    marginal : P(X).
    given_class : P(X|Y), that is, P(X) once the classes are as frequent in both.
    prior : P(Y).
    conditional : P(Y|X).
    label_space : ``same``, ``partial`` (the source has further classes), ``open`` (the target has), ``open partial``,
        ``disjoint``, or ``unknown`` without labels on both sides.
    shared : number of shared classes; 0 where unknown.
    source_labels, target_labels : whether there are some.
    overlap : whether the domains overlap enough for images of the one to stand for the other; None where unknown.
    images : whether the data are images, so that a network can be trained on them.
    """

    feature_space: Judgement
    marginal: Judgement
    given_class: Judgement
    prior: Judgement
    conditional: Judgement
    label_space: Relation
    shared: int
    source_labels: bool
    target_labels: bool
    overlap: bool | None
    images: bool = True


def judge(low: float | None, high: float | None, *, chance: float, tolerance: float) -> Judgement:
    """Whether a shift is larger than the user tolerates, by its interval.

    >>> [judge(low, high, chance=0.5, tolerance=0.05) for low, high in ((0.6, 0.7), (0.49, 0.53), (0.52, 0.6))]
    ['different', 'same', 'cannot tell']
    >>> judge(None, None, chance=0.5, tolerance=0.05)
    'unknown'
    """
    if low is None or high is None:
        return "unknown"
    if low > chance + tolerance:
        return "different"
    return "same" if high < chance + tolerance else "cannot tell"


def shifts(found: Situation) -> tuple[str, ...]:
    """The field's names of what differs; none where nothing is shown to differ.

    Covariate shift is a change of P(X) that the class prior does not explain, while P(Y|X) stays the same: where the
    latter is not shown, only a shift of P(X) is. Prior (target, label) shift is one of P(Y), concept shift one of
    P(Y|X). After Moreno-Torres et al., *A Unifying View on Dataset Shift*, 2012.
    """
    named = (
        ("feature-space shift", found.feature_space == "different"),
        ("label-space shift", found.label_space not in ("same", "unknown")),
        ("prior shift", found.prior == "different"),
        (_of_images(found) if found.conditional == "same" else SHIFT_OF_X, bool(_of_images(found))),
        ("concept shift", found.conditional == "different"),
    )
    return tuple(name for name, holds in named if holds)


def assumed(found: Situation) -> str:
    """What a shift of P(X) would be called if P(Y|X) were known to be the same; empty where that is not in question.

    >>> assumed(Situation("same", "different", "different", "same", "cannot tell", "same", 5, True, True, True))
    'covariate shift, if P(Y|X) is the same'
    """
    named = _of_images(found) if found.conditional in ("cannot tell", "unknown") else ""
    return f"{named}, if P(Y|X) is the same" if named else ""


def _of_images(found: Situation) -> str:
    """What a shift of P(X) is called, once what the classes explain is taken out of it, if P(Y|X) is the same.

    Empty where none is shown.
    """
    if found.given_class == "different":
        return "covariate shift"
    # Without a class in common nobody can tell what of P(X) is the classes' doing.
    if found.label_space not in ("same", "unknown"):
        return ""
    open_question = found.given_class == "cannot tell" or found.label_space == "unknown" == found.given_class
    if not open_question or found.marginal != "different" or found.prior == "different":
        return ""
    alone = found.prior == "same" or found.given_class == "unknown"
    return "covariate shift" if alone else "covariate or prior shift"
