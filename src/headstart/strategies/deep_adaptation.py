"""The table of ways to train towards a domain without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatch
from headstart.objectives import L2SP, Penalty
from headstart.objectives.adapt import (
    CDAN,
    DAN,
    DANN,
    JAN,
    MCC,
    MDD,
    SHOT,
    Alignment,
    DeepCORAL,
    MeanTeacher,
    PseudoLabels,
)
from headstart.training import Objective, Recipe, adapting, finetune, source_free, towards_source

Begins = Literal["head", "finetuned_source"]
Kind = Literal["baseline", "instance", "feature", "parameter", "self-training"]
"""Zhuang et al. 2020's homogeneous cases, with self-training beside them."""


@dataclass(frozen=True)
class DeepAdaptation:
    """One way to adapt a network, and what it may see.

    Attributes
    ----------
    name : how users and records name it.
    title : the same in words, to stand in a sentence.
    kind : what is carried over: parameters, features, or the network's own predictions.
    paper : authors and year.
    recipe : (training images, epochs) → `Recipe`; None where nothing is trained.
    alignment : makes, before training, what is lowered beside the source's loss; None lowers nothing else.
    weight : of that.
    penalty : makes what is added to the source's loss of the model alone.
    alone : makes what is lowered on the target's images alone; the source's are then not seen at all.
    """

    name: str
    title: str
    kind: Kind
    paper: str
    recipe: Callable[..., Recipe] | None = adapting
    alignment: Callable[[Transferred], Alignment] | None = None
    weight: float = 1.0
    penalty: Callable[[Transferred], Penalty] | None = None
    alone: Callable[[], Objective[UnlabelledBatch]] | None = None

    @property
    def begins(self) -> Begins:
        """With a head fitted to the source's features, or with the model that ``finetuned_source`` gave.

        That one is trained anyway, to be compared with; and predictions on the target are only worth something from
        there: labels, confusion and centroids that a fitted head gives may be nobody's.
        """
        return "finetuned_source" if self.sees_target else "head"

    @property
    def sees_source(self) -> bool:
        """Whether it needs the source's images, and not only the model that they gave."""
        return self.alone is None

    @property
    def sees_target(self) -> bool:
        """Whether it looks at the target at all: others are what adapting is measured against."""
        return self.alignment is not None or self.alone is not None or self.recipe is None


def _width(model: Transferred) -> int:
    return model.backbone.widths["top"]


def _classes(model: Transferred) -> int:
    k: int = model.head.out_features  # type: ignore[assignment]
    return k


def _near(model: Transferred) -> Penalty:
    # The head was fitted first and may be large: shrinking it would be most of the loss.
    return L2SP(model, beta=0.0)


DEEP_ADAPTATIONS: dict[str, DeepAdaptation] = {
    row.name: row
    for row in (
        DeepAdaptation(
            "finetuned_source", "fine-tuning on the source alone", "baseline", "Kumar et al. 2022", recipe=finetune
        ),
        DeepAdaptation(
            "l2sp",
            "fine-tuning on the source, towards the network as it was (L2-SP)",
            "parameter",
            "Li et al. 2018",
            recipe=towards_source,
            penalty=_near,
        ),
        DeepAdaptation(
            "adabn",
            "the target's batch-norm statistics (AdaBN)",
            "feature",
            "Li et al. 2016",
            recipe=None,
        ),
        # Weights of the two: the authors' code adds up five kernels, of which the mean is taken here.
        DeepAdaptation(
            "dan", "mean embeddings matched (DAN)", "feature", "Long et al. 2015", alignment=lambda _: DAN(), weight=5.0
        ),
        DeepAdaptation(
            "jan",
            "joint embeddings matched (JAN)",
            "feature",
            "Long et al. 2017",
            alignment=lambda _: JAN(),
            weight=5.0,
        ),
        DeepAdaptation(
            "deep_coral",
            "covariances matched (Deep CORAL)",
            "feature",
            "Sun & Saenko 2016",
            alignment=lambda _: DeepCORAL(),
        ),
        DeepAdaptation(
            "dann",
            "a discriminator of domains (DANN)",
            "feature",
            "Ganin et al. 2016",
            alignment=lambda model: DANN(_width(model)),
        ),
        DeepAdaptation(
            "cdan",
            "a discriminator that sees the classes (CDAN+E)",
            "feature",
            "Long et al. 2018",
            alignment=lambda model: CDAN(_width(model), _classes(model)),
        ),
        DeepAdaptation(
            "mdd",
            "a second head that disagrees (MDD)",
            "feature",
            "Zhang et al. 2019",
            alignment=lambda m: MDD(_width(m), _classes(m)),
        ),
        DeepAdaptation(
            "mcc", "less class confusion (MCC)", "self-training", "Jin et al. 2020", alignment=lambda _: MCC()
        ),
        DeepAdaptation(
            "self_training",
            "pseudo-labels of the surest",
            "self-training",
            "Zou et al. 2018",
            alignment=lambda _: PseudoLabels(),
        ),
        DeepAdaptation(
            "mean_teacher", "a mean teacher", "self-training", "French et al. 2018", alignment=MeanTeacher, weight=3.0
        ),
        DeepAdaptation(
            "shot",
            "without the source's images (SHOT)",
            "self-training",
            "Liang et al. 2020",
            recipe=source_free,
            alone=SHOT,
        ),
    )
}
