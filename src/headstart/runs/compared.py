"""What `headstart.compare` measures and hands back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headstart.advice.answers import Answer
from headstart.advice.case import Case
from headstart.evidence.bootstrap import Difference
from headstart.evidence.mmd import Discrepancy
from headstart.evidence.priors import Estimated
from headstart.evidence.two_sample import Told

LEVEL = 0.95
"""Of all intervals; a p-value of at most 1 − LEVEL shows a difference, however small."""


@dataclass(frozen=True)
class Side:
    """One domain.

    Attributes
    ----------
    images, used, broken : how many there are, took part, and could not be read.
    width, height : least, median and largest, in pixels; None for arrays of features.
    grey : share of the images without colour; None for arrays of features.
    features : width of an array of features; None for images.
    classes : with the number of images of each; empty without labels.
    """

    name: str
    images: int
    used: int
    broken: int
    width: tuple[int, ...] | None
    height: tuple[int, ...] | None
    grey: float | None
    features: int | None
    classes: dict[str, int]


@dataclass(frozen=True)
class Spaces:
    """The feature spaces; `pairs` are groups that hold images of both domains."""

    source: Side
    target: Side
    pairs: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Marginal:
    """How well the domains are told apart, at every cut and at the clearest one.

    Attributes
    ----------
    value, low, high : accuracy at the clearest cut, corrected for having been chosen; 0.5 is chance.
    p, mmd_p : of no difference at all, all cuts at once, by the classifier and by MMD².
    lower : accuracy at the clearest cut of the lower half minus that at the last cut; None with one cut.
    n : images, both domains together.
    """

    cuts: tuple[Told, ...]
    mmd: tuple[Discrepancy, ...]
    clearest: str
    value: float
    low: float | None
    high: float | None
    p: float
    mmd_p: float
    lower: Difference | None
    n: int


@dataclass(frozen=True)
class Labels:
    """The label spaces.

    Attributes
    ----------
    near : pairs of classes that differ in spelling alone.
    alike : pairs of private classes whose images look alike: (source, target, ratio of distances, below 1).
    """

    relation: str
    shared: tuple[str, ...]
    near: tuple[tuple[str, str], ...]
    alike: tuple[tuple[str, str, float], ...]
    source_only: tuple[str, ...]
    target_only: tuple[str, ...]


@dataclass(frozen=True)
class Prior:
    """The class prior.

    Attributes
    ----------
    told : accuracy in telling the domains apart by the class alone; None without target labels.
    source, target, low, high : shares of `classes`, and the interval of their difference, target minus source;
        `target`, `low` and `high` are empty without target labels.
    estimates : by BBSE and EM, without target labels.
    """

    classes: tuple[str, ...]
    source: tuple[float, ...]
    target: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    told: Told | None
    estimates: tuple[Estimated, ...]


@dataclass(frozen=True)
class GivenClass:
    """P(X|Y): the domains told apart where the classes are as frequent in both; `estimated` without labels."""

    clearest: str
    value: float
    low: float | None
    high: float | None
    p: float
    estimated: bool
    n: int


@dataclass(frozen=True)
class Heads:
    """P(Y|X) on the shared classes, the target's labels at hand.

    Attributes
    ----------
    gain : log loss of one classifier for both domains minus that of one that may differ, nats an image.
    accuracy : accuracy of the latter minus that of the former.
    source, target : accuracies on the target of the head of each domain, from as many labels.
    cost : source minus target: what taking the source's head costs.
    n : images, both domains together.
    """

    gain: Difference
    accuracy: Difference
    source: float
    target: float
    cost: Difference
    n: int


@dataclass(frozen=True)
class Use:
    """Whether a method applies here, and why not."""

    name: str
    title: str
    family: str
    paper: str
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """The five answers, the case they make, and what follows for the methods."""

    answers: tuple[Answer, ...]
    case: Case
    methods: tuple[Use, ...]


@dataclass(frozen=True)
class Card:
    """The problem card of two domains.

    Attributes
    ----------
    tolerance : points of accuracy above chance that still count as the same.
    marginal, given_class, labels, prior, conditional : None where nothing could be measured.
    folder : where the page is; None without one.
    """

    tolerance: float
    backbone: str
    spaces: Spaces
    marginal: Marginal | None
    labels: Labels | None
    prior: Prior | None
    given_class: GivenClass | None
    conditional: Heads | None
    verdict: Verdict
    folder: Path | None = None

    @property
    def case(self) -> Case:
        """The situation, named."""
        return self.verdict.case

    @property
    def answers(self) -> dict[str, Answer]:
        """The five answers by what they are about: space, marginal, label space, prior, conditional."""
        return {answer.about: answer for answer in self.verdict.answers}

    @property
    def report(self) -> Path | None:
        """The page."""
        return self.folder / "report.html" if self.folder else None

    def to_json(self) -> dict[str, Any]:
        """One document for programs."""
        told = asdict(self) | {"level": LEVEL, "sentence": self.case.sentence}
        return told | {"folder": str(self.folder) if self.folder else None}
