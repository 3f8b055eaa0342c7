"""The table of validators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headstart.evidence.label_free.predictions import class_correlation, entropy, neighbourhoods
from headstart.evidence.label_free.seen import Seen
from headstart.evidence.label_free.weighted import deep_embedded, importance_weighted


@dataclass(frozen=True)
class Validator:
    """One way to score an adapted model without a label of the target; higher is better.

    Attributes
    ----------
    name : how records name it.
    title : the same in words, short enough for a column.
    rests_on : what must hold for it to be right.
    function : what was seen → the score.
    paper : where it comes from.
    """

    name: str
    title: str
    rests_on: str
    function: Callable[[Seen], float]
    paper: str


VALIDATORS: dict[str, Validator] = {
    row.name: row
    for row in (
        Validator(
            "iwv",
            "weighted source loss",
            "source images that look like the target have the same labels there",
            importance_weighted,
            "Sugiyama et al. 2007",
        ),
        Validator("dev", "DEV", "the same, with less noise", deep_embedded, "You et al. 2019"),
        Validator("entropy", "entropy", "a better model is surer", entropy, "Morerio et al. 2018"),
        Validator(
            "snd",
            "neighbourhoods",
            "a better model gives many images the same answer",
            neighbourhoods,
            "Saito et al. 2021",
        ),
        Validator(
            "corr_c",
            "class correlation",
            "a better model is surer, and the target holds all classes about evenly",
            class_correlation,
            "Tu et al. 2023",
        ),
    )
}
