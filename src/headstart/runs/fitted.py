"""What every method starts from, and what each hands over when it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart.backbones import Transferred
from headstart.evidence.distance import spaced
from headstart.features import Features
from headstart.runs.pairing import Both
from headstart.shallow import Probe, evenly
from headstart.shallow.adapt import Shift

MOST = 4000
"""Images of each domain that methods on stored features see, and all are scored on, at most: some take all pairs."""


@dataclass(frozen=True, eq=False)
class Start:
    """What every method starts from.

    Attributes
    ----------
    backbone : its name.
    features, target_features : stored features of source and target.
    probe : the head that is best on the source, out of fold, a ridge: it can weigh images.
    shift : what a method on stored features may see, at the probe's cuts.
    """

    backbone: str
    features: Features
    target_features: Features
    probe: Probe
    shift: Shift


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted method.

    Attributes
    ----------
    model : makes the model that would be handed back.
    arrays : makes what the choice and the report are made from, all by the model and without a label of the target
        but the few: ``target`` ``(m, k)`` and ``judged`` probabilities of the two parts of the target; ``held``
        ``(n, k)`` of the held source images by the source's own way through the method, and ``kept`` by the model as
        handed back; ``few``, of the few labelled ones by models that have not seen their labels (or ``(0, k)``, where
        there are none, or too few to leave some out); ``map_s`` and ``map_t``, aligned features of some images of each.
    cut : where the head reads the backbone; several joined by ``+``.
    weights : how much each source image counted, or None.
    recipe : the settings.
    training : of a row that trains, for the record: what it began with, its images, its curve and its seconds.
    distances : of a row that trains, makes how far apart the domains are at every cut of its network, `compared_rows`
        of each; None where the network is as it was.
    """

    model: Callable[[], Transferred]
    arrays: Callable[[], Mapping[str, np.ndarray]]
    cut: str
    weights: np.ndarray | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    distances: Callable[[], dict[str, float]] | None = None


def scored_rows(both: Both, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training images of the source and adapted ones of the target that all methods are scored on: `MOST` of each."""
    ours = evenly(both.source.split.train, both.source.y, MOST)
    return ours, np.sort(np.random.default_rng(seed).permutation(both.target.adapted)[:MOST])


def compared_rows(both: Both) -> tuple[np.ndarray, np.ndarray]:
    """Training images of the source and adapted ones of the target between which distances at the cuts are told.

    They are those that `discrepancy` would take of all: the same before and after a training, and few to pass.
    """
    ours, theirs = both.source.split.train, both.target.adapted
    return ours[spaced(len(ours))], theirs[spaced(len(theirs))]
