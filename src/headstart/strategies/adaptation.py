"""The table of ways to adapt a labelled source to a target without labels, the baselines first."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.errors import OptionError
from headstart.shallow import adapt
from headstart.shallow.adapt import Adapted, Shift
from headstart.strategies.deep_adaptation import DEEP_ADAPTATIONS, DeepAdaptation, Kind

FittedOn = Literal["features", "images"]


@dataclass(frozen=True)
class Adaptation:
    """One way to adapt.

    Attributes
    ----------
    name : how users and records name it.
    title : the same in words, to stand in a sentence.
    kind : what is carried over: images, features, parameters, or the head's own predictions.
    paper : where it comes from.
    fitted_on : ``features`` that are stored, by `on_features`; or ``images``, by a training.
    on_features : `Shift` → `Adapted`; None where it trains.
    training : how it trains; None on stored features.
    reads_few : needs the few labelled target images (`--labels`); a row that does not need them never sees them.
    needs_pot : whether POT does the work.
    automatic : whether it may be chosen without labels. Not where its head is tuned in a space of its own, so that
        how sure it is cannot be compared; nor where a training lowers what the validators measure.
    """

    name: str
    title: str
    kind: Kind
    paper: str
    fitted_on: FittedOn = "features"
    on_features: Callable[[Shift], Adapted] | None = None
    training: DeepAdaptation | None = None
    reads_few: bool = False
    needs_pot: bool = False
    automatic: bool = True

    @property
    def baseline(self) -> bool:
        """Baselines adapt nothing: what adapting brings is measured against them."""
        return self.kind == "baseline"

    @property
    def always(self) -> bool:
        """Whether it runs whatever is named: baselines that cost next to nothing."""
        return self.baseline and self.training is None

    @property
    def at_hand(self) -> bool:
        """Whether what it needs beside headstart itself is installed."""
        return not self.needs_pot or adapt.pot_at_hand()


def _trained(row: DeepAdaptation) -> Adaptation:
    """A row that trains, as one of all ways to adapt."""
    return Adaptation(
        row.name,
        row.title,
        row.kind,
        row.paper,
        fitted_on="images",
        training=row,
        automatic=row.kind != "self-training",
    )


ADAPTATIONS: dict[str, Adaptation] = {
    row.name: row
    for row in (
        Adaptation(
            "source_only",
            "the source's head as it is",
            "baseline",
            "",
            on_features=adapt.source_only,
        ),
        Adaptation(
            "target_only",
            "a head of the few labelled target images alone",
            "baseline",
            "",
            on_features=adapt.target_only,
            reads_few=True,
            automatic=False,
        ),
        Adaptation(
            "density_ratio",
            "weights by a classifier of domains",
            "instance",
            "Bickel et al. 2007",
            on_features=adapt.density_ratio,
        ),
        Adaptation(
            "kmm",
            "weights by kernel mean matching (KMM)",
            "instance",
            "Huang et al. 2006",
            on_features=adapt.kernel_mean_matching,
        ),
        Adaptation(
            "kliep",
            "weights of highest likelihood (KLIEP)",
            "instance",
            "Sugiyama et al. 2007",
            on_features=adapt.kliep,
        ),
        Adaptation(
            "coral",
            "correlation alignment (CORAL)",
            "feature",
            "Sun et al. 2016",
            on_features=adapt.coral,
        ),
        Adaptation(
            "subspace",
            "subspace alignment",
            "feature",
            "Fernando et al. 2013",
            on_features=adapt.subspace_alignment,
            automatic=False,
        ),
        Adaptation(
            "tca",
            "transfer component analysis (TCA)",
            "feature",
            "Pan et al. 2011",
            on_features=adapt.transfer_components,
            automatic=False,
        ),
        Adaptation(
            "transport",
            "optimal transport",
            "feature",
            "Courty et al. 2017",
            on_features=adapt.optimal_transport,
            needs_pot=True,
        ),
        Adaptation(
            "pseudo_labels",
            "the surest predictions as labels",
            "self-training",
            "Lee 2013, Zou et al. 2018",
            on_features=adapt.pseudo_labels,
        ),
        Adaptation(
            "tradaboost",
            "boosting with few target labels (TrAdaBoost)",
            "instance",
            "Dai et al. 2007",
            on_features=adapt.tradaboost,
            reads_few=True,
            automatic=False,
        ),
        Adaptation(
            "towards_source",
            "a head of few target labels, held near the source's",
            "parameter",
            "Kuzborskij & Orabona 2013",
            on_features=adapt.towards_source,
            reads_few=True,
            automatic=False,
        ),
        *map(_trained, DEEP_ADAPTATIONS.values()),
    )
}

_ON_FEATURES = tuple(row.name for row in ADAPTATIONS.values() if row.training is None)

METHOD_FAMILIES: dict[str, tuple[str, ...]] = {
    "auto": (*_ON_FEATURES, "finetuned_source", "dan"),
    "features": _ON_FEATURES,
    "trained": tuple(DEEP_ADAPTATIONS),
}
"""What `--method` takes beside the name of a row.

All on stored features with one training that aligns; those on stored features alone; and all that train.
"""


def chosen_adaptations(names: Sequence[str], *, labels: int) -> tuple[Adaptation, ...]:
    """Rows in the table's order: those named, what they begin with, and the cheap baselines always.

    Parameters
    ----------
    names : names of rows or of `METHOD_FAMILIES`; of a family, the rows that can be had.
    labels : labelled target images of each class that may be used.

    Raises
    ------
    OptionError : a name is unknown, or its row needs labels and there are none.
    MissingExtraError : it is named, and what it needs is not installed.
    """
    wanted, known = set(names), [*METHOD_FAMILIES, *ADAPTATIONS]
    for name in sorted(wanted.difference(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Choose among {', '.join(known)}."
        raise OptionError(f"There is no method named {name}.", hint)
    for row in (ADAPTATIONS[name] for name in ADAPTATIONS if name in wanted):
        if row.reads_few and not labels:
            raise OptionError(f"{row.name} needs labelled target images.", "Say how many of each class: --labels K.")
        if not row.at_hand:
            raise adapt.no_pot()
    wanted |= {row for family in wanted & METHOD_FAMILIES.keys() for row in METHOD_FAMILIES[family]}
    wanted |= {row.begins for row in DEEP_ADAPTATIONS.values() if row.name in wanted}
    possible = [row for row in ADAPTATIONS.values() if row.at_hand and (labels or not row.reads_few)]
    return tuple(row for row in possible if row.always or row.name in wanted)
