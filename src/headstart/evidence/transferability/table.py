"""The table of transferability scores, the default first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability import leep, loo_ridge, nce, neighbours, nleep
from headstart.evidence.transferability.checking import Doubles
from headstart.evidence.transferability.gbc import gbc
from headstart.evidence.transferability.h_score import h_score
from headstart.evidence.transferability.logme import logme
from headstart.evidence.transferability.parc import parc
from headstart.evidence.transferability.transrate import transrate

Needs = Literal["features", "source probabilities"]


@dataclass(frozen=True)
class Score:
    """One way to guess, without fine-tuning, how well a network will do on a task; higher is better.

    Attributes
    ----------
    name : how users name it.
    title : the same in words.
    needs : what its first argument is, ``(n, d)``; the second is the classes, ``(n,)``.
    function : both → the score.
    paper : where it comes from.
    contributions : where the score is a mean over images, its terms, ``(n,)``; else None.
    """

    name: str
    title: str
    needs: Needs
    function: Callable[[Floats, Classes], float]
    paper: str
    contributions: Callable[[Floats, Classes], Doubles] | None = None


SCORES: dict[str, Score] = {
    row.name: row
    for row in (
        Score(
            "loo_ridge",
            "leave-one-out accuracy of ridge",
            "features",
            loo_ridge.loo_ridge,
            "Allen 1974",
            loo_ridge.contributions,
        ),
        Score(
            "neighbours",
            "leave-one-out accuracy of 5 nearest neighbours",
            "features",
            neighbours.neighbours,
            "Cover & Hart 1967",
            neighbours.contributions,
        ),
        Score("logme", "log maximum evidence", "features", logme, "You et al. 2021"),
        Score("h_score", "H-score, shrunk", "features", h_score, "Bao et al. 2019, Ibrahim et al. 2022"),
        Score("transrate", "TransRate", "features", transrate, "Huang et al. 2022"),
        Score("gbc", "Gaussian Bhattacharyya coefficient", "features", gbc, "Pándy et al. 2022"),
        Score("parc", "PARC, a rank correlation of pairs", "features", parc, "Bolya et al. 2021"),
        Score("nleep", "NLEEP, of clusters", "features", nleep.nleep, "Li et al. 2021", nleep.contributions),
        Score(
            "leep",
            "log expected empirical prediction",
            "source probabilities",
            leep.leep,
            "Nguyen et al. 2020",
            leep.contributions,
        ),
        Score(
            "nce",
            "negative conditional entropy",
            "source probabilities",
            nce.nce,
            "Tran et al. 2019",
            nce.contributions,
        ),
    )
}
