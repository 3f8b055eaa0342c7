"""Which methods apply to a situation, which do not, and why: one row a method, one row a requirement.

The families are those of Zhuang et al. (2021): by instances, features, parameters or relations. Relation-based
methods carry over rules between networks of things (who cites whom); images have none, so the table has no such row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headstart.advice.situation import Situation
from headstart.strategies import ADAPTATIONS

Family = Literal["instance", "feature", "parameter", "relation"]
Verdict = Literal["applies", "assumes", "restricted", "idle", "refused"]

ORDER: tuple[Verdict, ...] = ("applies", "assumes", "restricted", "idle", "refused")
"""From the best: applies as it is; rests on what is not shown; on a part only; nothing to correct; must not be used."""


@dataclass(frozen=True)
class Method:
    """One way to carry over what was learned.

    Attributes
    ----------
    name : how commands and records name it.
    needs : names in `REQUIREMENTS`.
    """

    name: str
    title: str
    family: Family
    paper: str
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Ruling:
    """Whether a method applies, and every reason that speaks against it or limits it."""

    method: Method
    verdict: Verdict
    reasons: tuple[str, ...]


Requirement = Callable[[Situation], tuple[Verdict, str]]
MET: tuple[Verdict, str] = ("applies", "")


def _one_space(found: Situation) -> tuple[Verdict, str]:
    return ("refused", "the feature spaces differ") if found.feature_space == "different" else MET


def _two_spaces(found: Situation) -> tuple[Verdict, str]:
    return MET if found.feature_space == "different" else ("idle", "the feature space is one already")


def _images(found: Situation) -> tuple[Verdict, str]:
    return MET if found.images else ("refused", "it trains a network, and arrays of features come without theirs")


def _source_labels(found: Situation) -> tuple[Verdict, str]:
    return MET if found.source_labels else ("refused", "the source has no labels to learn from")


def _target_labels(found: Situation) -> tuple[Verdict, str]:
    return MET if found.target_labels else ("refused", "it learns from target labels, and there are none")


def _shared_classes(found: Situation) -> tuple[Verdict, str]:
    if found.label_space == "disjoint":
        return "refused", "no class is shared"
    if found.label_space == "unknown":
        return "assumes", "that both have the same classes, which no target label shows"
    if found.label_space != "same":
        count = f"{found.shared} shared class{'es' if found.shared != 1 else ''}"
        return "restricted", f"to the {count}: it would pull private classes onto others"
    return MET


def _shift(found: Situation) -> tuple[Verdict, str]:
    return ("idle", "P(X) does not differ by the size that matters") if found.marginal == "same" else MET


def _overlap(found: Situation) -> tuple[Verdict, str]:
    if found.overlap is False:
        return "refused", "the domains hardly overlap: a few source images would carry all the weight"
    return MET


def _same_conditional(found: Situation) -> tuple[Verdict, str]:
    if found.conditional == "different":
        return "refused", "P(Y|X) differs: what the source's labels say is wrong for the target"
    return MET if found.conditional == "same" else ("assumes", "that P(Y|X) is the same, which is not shown")


def _same_prior(found: Situation) -> tuple[Verdict, str]:
    if found.prior == "different":
        return (
            "restricted",
            "to a source whose classes are weighed as in the target: P(Y) differs, and aligning P(X) would mix classes",
        )
    return MET if found.prior == "same" else ("assumes", "that P(Y) is the same, which is not shown")


def _prior_shift(found: Situation) -> tuple[Verdict, str]:
    return ("idle", "P(Y) does not differ by the size that matters") if found.prior == "same" else MET


def _same_given_class(found: Situation) -> tuple[Verdict, str]:
    if found.given_class == "different":
        return "refused", "P(X|Y) differs, so that its estimate of P(Y) cannot be trusted"
    return MET if found.given_class == "same" else ("assumes", "that P(X|Y) is the same, which is not shown")


REQUIREMENTS: dict[str, Requirement] = {
    "one feature space": _one_space,
    "two feature spaces": _two_spaces,
    "images": _images,
    "source labels": _source_labels,
    "target labels": _target_labels,
    "shared classes": _shared_classes,
    "a shift of P(X)": _shift,
    "overlap": _overlap,
    "same P(Y|X)": _same_conditional,
    "same P(Y)": _same_prior,
    "a shift of P(Y)": _prior_shift,
    "same P(X|Y)": _same_given_class,
}

_WEIGHTS = ("one feature space", "source labels", "shared classes", "a shift of P(X)", "overlap", "same P(Y|X)")
_ALIGN = ("one feature space", "source labels", "shared classes", "a shift of P(X)", "same P(Y|X)", "same P(Y)")
_DEEP = ("images", *_ALIGN)
_SELF = ("images", "one feature space", "source labels", "shared classes", "a shift of P(X)", "same P(Y|X)")
_LABELLED = ("images", "one feature space", "target labels")

_ROWS: tuple[tuple[str, str, Family, tuple[str, ...]], ...] = (
    ("bbse", "class weights from BBSE or EM", "instance",
     ("one feature space", "source labels", "shared classes", "a shift of P(Y)", "same P(X|Y)")),
    ("density_ratio", "density ratio by a classifier of domains", "instance", _WEIGHTS),
    ("kmm", "kernel mean matching", "instance", _WEIGHTS),
    ("kliep", "KLIEP", "instance", _WEIGHTS),
    ("tradaboost", "TrAdaBoost", "instance",
     ("one feature space", "source labels", "target labels", "shared classes")),
    ("coral", "CORAL", "feature", _ALIGN),
    ("subspace", "subspace alignment", "feature", _ALIGN),
    ("tca", "transfer component analysis", "feature", _ALIGN),
    ("transport", "optimal transport", "feature", _ALIGN),
    ("dann", "DANN", "feature", _DEEP),
    ("cdan", "CDAN", "feature", _DEEP),
    ("dan", "DAN", "feature", _DEEP),
    ("jan", "JAN", "feature", _DEEP),
    ("deep_coral", "Deep CORAL", "feature", _DEEP),
    ("mcc", "minimum class confusion", "feature", _SELF),
    ("mdd", "margin disparity discrepancy", "feature", _DEEP),
    ("adabn", "adaptive batch normalisation", "feature",
     ("images", "one feature space", "source labels", "a shift of P(X)", "same P(Y|X)", "same P(Y)")),
    ("manifold_alignment", "manifold alignment over shared classes", "feature",
     ("two feature spaces", "source labels", "target labels", "shared classes")),
    ("pseudo_labels", "pseudo-labels", "parameter", _SELF),
    ("mean_teacher", "mean teacher", "parameter", _SELF),
    ("shot", "SHOT", "parameter", (*_SELF, "same P(Y)")),
    ("l2sp", "L2-SP on the source alone", "parameter",
     ("images", "one feature space", "source labels", "shared classes", "same P(Y|X)")),
    ("finetune", "fine-tuning", "parameter", _LABELLED),
    ("l2sp_towards_source", "L2-SP towards the source", "parameter", _LABELLED),
)  # fmt: skip

_PAPERS = {
    "bbse": "Lipton et al. 2018, Saerens et al. 2002",
    "manifold_alignment": "Wang & Mahadevan 2011",
    "finetune": "Yosinski et al. 2014",
    "l2sp_towards_source": ADAPTATIONS["l2sp"].paper,
} | {row.name: row.paper for row in ADAPTATIONS.values()}

METHODS: dict[str, Method] = {
    name: Method(name, title, family, _PAPERS[name], needs) for name, title, family, needs in _ROWS
}
"""Under the names of `headstart adapt --method`, where that has them; others are done by `fit`, or by no command."""


def rule(method: Method, found: Situation) -> Ruling:
    """Whether `method` applies: the worst of what its requirements say, with all their reasons.

    Examples
    --------
    >>> seen = dict(feature_space="same", marginal="different", given_class="different", prior="same", overlap=True)
    >>> rest = dict(conditional="unknown", label_space="partial", shared=3, source_labels=True, target_labels=False)
    >>> found = Situation(**seen, **rest)
    >>> rule(METHODS["dann"], found).verdict, rule(METHODS["finetune"], found).verdict
    ('restricted', 'refused')
    """
    asked = [REQUIREMENTS[name](found) for name in method.needs]
    worst = max((verdict for verdict, _ in asked), key=ORDER.index)
    # What merely limits a method is beside the point where it must not be used, or has nothing to do.
    told = [reason for verdict, reason in asked if reason and (verdict == worst or worst in ("assumes", "restricted"))]
    return Ruling(method, worst, tuple(told))


def rulings(found: Situation) -> tuple[Ruling, ...]:
    """All rows of the table, from those that apply to those that must not be used."""
    ruled = [rule(method, found) for method in METHODS.values()]
    return tuple(sorted(ruled, key=lambda one: ORDER.index(one.verdict)))
