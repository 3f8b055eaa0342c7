"""A problem card from both domains' features: every question that is not answered yet, and the conclusion from all."""

from __future__ import annotations

from pathlib import Path

from headstart.runs import comparing
from headstart.runs.compared import Card, GivenClass, Heads, Labels, Marginal, Prior, Spaces, Verdict
from headstart.runs.concluding import conclude
from headstart.runs.gathering import Gathered
from headstart.runs.keeping import Keeper
from headstart.runs.pictured import Pictures, pictured


def answered(keeper: Keeper, found: Gathered, *, folder: Path | None, tolerance: float) -> Card:
    """Every measurement that is not recorded yet, and the conclusion from all of them.

    Parameters
    ----------
    folder : where thumbnails are written; None draws nothing.
    tolerance : accuracy above chance that still counts as the same, a share.
    """
    sides, names, seed = found.sides, found.known.spaces, keeper.seed
    oracle = sides.labelled(1)
    spaces = keeper.measured("data", Spaces, lambda: found.spaces, oracle=oracle)
    marginal = _marginal(keeper, found, folder)
    labels = prior = given = heads = None
    if names is not None:
        labels = keeper.measured("labels", Labels, lambda: comparing.labels(sides, names), oracle=oracle)
        prior = keeper.measured("prior", Prior, lambda: comparing.known_prior(sides, names, seed=seed), oracle=oracle)
    elif sides.labelled(0) and sides.z:
        prior = keeper.measured("prior", Prior, lambda: comparing.estimated_prior(sides, seed=seed))
    if (prior is not None or names is not None) and sides.z:
        known = prior
        given = keeper.measured(
            "given_class", GivenClass, lambda: comparing.given_class(sides, names, known, seed=seed), oracle=oracle
        )
    if names is not None and sides.z:
        heads = keeper.measured(
            "conditional", Heads, lambda: comparing.conditional(sides, names, seed=seed), oracle=oracle
        )
    assert spaces is not None
    verdict = keeper.measured(
        "verdict",
        Verdict,
        lambda: conclude(spaces, marginal, labels, prior, given, heads, tolerance=tolerance),
        oracle=oracle,
    )
    assert verdict is not None
    return Card(tolerance, keeper.backbone, spaces, marginal, labels, prior, given, heads, verdict, folder)


def _marginal(keeper: Keeper, found: Gathered, folder: Path | None) -> Marginal | None:
    if not found.sides.z:
        return None

    def measure() -> Marginal:
        told, rows, separation = comparing.marginal(found.sides, seed=keeper.seed)
        if folder is not None:
            keeper.measured(
                "pictures",
                Pictures,
                lambda: pictured(folder, found.read, found.sides, rows, separation),
                oracle=found.sides.labelled(1),
            )
        return told

    return keeper.measured("marginal", Marginal, measure)
