"""The treatments of Yosinski et al. 2014, one row each: where a network's lower part is from, and whether it is frozen.

With B the half whose classes are learned, A the other half, and n the number of layers that are kept: what is above
them is always drawn anew and trained on B. Source: https://arxiv.org/abs/1411.1792.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lower = Literal["own", "other", "random"]


@dataclass(frozen=True)
class Treatment:
    """One row.

    Attributes
    ----------
    name : as in the paper.
    lower : whose first n layers are kept: those of the base of the same half (``own``), of the other half (``other``),
        or of no base (``random``: as they were drawn).
    frozen : whether they are kept as they are, or trained with the rest.
    says : what it shows, in a sentence.
    """

    name: str
    lower: Lower
    frozen: bool
    says: str


TREATMENTS = {
    row.name: row
    for row in (
        Treatment("BnB", "own", True, "What is lost against base B is co-adaptation that was split at n."),
        Treatment("AnB", "other", True, "What is lost beyond BnB is that the first n layers are specialised to A."),
        Treatment("BnB+", "own", False, "Whether fine-tuning brings back what the split had cost."),
        Treatment("AnB+", "other", False, "What transfer is worth where everything is fine-tuned."),
        Treatment("random", "random", True, "What the upper layers make of features that nobody has learned."),
    )
}
"""By name."""
