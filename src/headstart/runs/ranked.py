"""What `headstart.rank` hands back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headstart.evidence.ranking import AGREEMENT, Ranking


@dataclass(frozen=True)
class Standing:
    """One backbone of a ranking.

    Attributes
    ----------
    scores, errors : each score with its standard error, by the score's name; an error is None where halves
        of the images could not be drawn.
    mean_rank, low, high : mean rank over the scores, 1 is best, with its 90 % interval.
    tied : whether it may be the best: the images do not show it to be worse.
    """

    backbone: str
    scores: dict[str, float]
    errors: dict[str, float | None]
    mean_rank: float
    low: float | None
    high: float | None
    tied: bool


@dataclass(frozen=True)
class Ranked:
    """Backbones in order of their scores on training images.

    Attributes
    ----------
    standings : from the best mean rank.
    scores : what they were ranked by.
    agreement : mean weighted τ over pairs of scores; None with one score or one backbone.
    disagree : whether that is too low for the order to be trusted.
    images : training images that were scored.
    notes : what a reader should know.
    """

    standings: tuple[Standing, ...]
    scores: tuple[str, ...]
    agreement: float | None
    disagree: bool
    images: int
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        backbones: Sequence[str],
        scores: Sequence[str],
        *,
        values: np.ndarray,
        errors: np.ndarray,
        ranking: Ranking,
        images: int,
        notes: tuple[str, ...],
    ) -> Ranked:
        """From values and errors, both (scores, backbones), and what `headstart.evidence.ranking.rank` made of them."""
        standings = tuple(
            Standing(
                backbones[i],
                dict(zip(scores, values[:, i].tolist(), strict=True)),
                dict(zip(scores, map(_known, errors[:, i]), strict=True)),
                float(ranking.mean_rank[i]),
                _known(ranking.low[i]),
                _known(ranking.high[i]),
                bool(ranking.tied[i]),
            )
            for i in ranking.order
        )
        return cls(standings, tuple(scores), ranking.agreement, ranking.disagree, images, notes)

    @property
    def best(self) -> str:
        """Name of the backbone that ranks first."""
        return self.standings[0].backbone

    @property
    def tied(self) -> tuple[str, ...]:
        """Names of all backbones that may be the best, the first one included."""
        return tuple(one.backbone for one in self.standings if one.tied)

    @property
    def sentence(self) -> str:
        """What follows, in words."""
        others = [name for name in self.tied if name != self.best]
        if len(self.standings) == 1:
            said = f"{self.best} is the only backbone: nothing is ranked."
        elif others:
            said = f"{self.best} ranks first, but these images cannot tell it from {', '.join(others)}."
        else:
            said = f"{self.best} ranks first, and every other backbone is shown to score lower."
        if self.disagree:
            said += f" The scores disagree (mean weighted tau {self.agreement:.2f}, below {AGREEMENT:g})."
        return said

    def to_json(self) -> dict[str, Any]:
        """One document for programs."""
        return {"best": self.best, "tied": list(self.tied), "sentence": self.sentence, **asdict(self)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
