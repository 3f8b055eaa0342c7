"""What the page of a comparison shows: the images that give each domain away, and a map of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.evidence.two_sample import Separation
from headstart.runs.gathering import Surveyed
from headstart.runs.sides import Sides
from headstart.runs.thumbs import keep_picture

SHOWN = 8
"""Images of each domain that give it away."""

DOTS = 400
"""Images of each domain on the map."""


@dataclass(frozen=True)
class Giveaway:
    """An image with its out-of-fold score, turned such that a higher one speaks for its own domain."""

    domain: int
    path: str
    label: str
    score: float
    picture: str


@dataclass(frozen=True)
class Dot:
    """An image on the map: its domain, its score, and its place along what the images vary in otherwise."""

    domain: int
    x: float
    y: float
    path: str


@dataclass(frozen=True)
class Pictures:
    """What is drawn, at the cut that tells the domains apart most clearly."""

    cut: str
    giveaways: tuple[Giveaway, ...]
    dots: tuple[Dot, ...]


def pictured(folder: Path, read: Surveyed | None, sides: Sides, rows: np.ndarray, found: Separation) -> Pictures:
    """Write thumbnails below `folder` and say where everything stands; arrays of features have no thumbnails.

    The map goes from left to right by the held-out score of the domains' classifier, and upwards by the first
    principal component of the last cut's features once that score is taken out of them.
    """
    scores = found.scores[found.clearest].astype(np.float64)
    own = np.where(sides.domain[rows] == 1, scores, -scores)
    shown = [
        rows_of[np.argsort(-own[rows_of], kind="stable")][:SHOWN]
        for side in (0, 1)
        if len(rows_of := np.flatnonzero(sides.domain[rows] == side))
    ]
    giveaways = (
        [_giveaway(folder, read, sides, int(rows[i]), float(own[i])) for part in shown for i in part] if read else []
    )
    return Pictures(found.clearest, tuple(giveaways), _dots(read, sides, rows, scores))


def _giveaway(folder: Path, read: Surveyed, sides: Sides, row: int, score: float) -> Giveaway:
    place, y = int(sides.place[row]), int(sides.y[row])
    label = sides.classes[y] if y >= 0 else ""
    return Giveaway(
        int(sides.domain[row]), read.label_of(place), label, round(score, 4), keep_picture(folder, read.survey, place)
    )


def _dots(read: Surveyed | None, sides: Sides, rows: np.ndarray, scores: np.ndarray) -> tuple[Dot, ...]:
    upwards = _otherwise(sides.top[rows], scores)
    kept = np.concatenate([np.flatnonzero(sides.domain[rows] == side)[:DOTS] for side in (0, 1)])
    return tuple(
        Dot(
            int(sides.domain[rows[i]]),
            round(float(scores[i]), 4),
            round(float(upwards[i]), 4),
            read.label_of(int(sides.place[rows[i]])) if read else f"row {int(sides.place[rows[i]])}",
        )
        for i in kept
    )


def _otherwise(z: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """First principal component of standardised features without what is linear in the scores, ``(n,)``."""
    centred = (z - z.mean(axis=0)) / np.maximum(z.std(axis=0), 1e-6)
    axis = scores - scores.mean()
    left = centred - np.outer(axis, axis @ centred / max(float(axis @ axis), 1e-12))
    basis, sizes, _ = np.linalg.svd(left, full_matrices=False)
    component: np.ndarray = basis[:, 0] * sizes[0]
    # The sign of a component is arbitrary; this one does not depend on the machine.
    return component if component[np.abs(component).argmax()] > 0 else -component
