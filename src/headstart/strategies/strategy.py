"""One way to transfer: what is kept, what trains, by which recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headstart.backbones import ADAPTERS, Only
from headstart.backbones.adapters import peft_at_hand
from headstart.objectives import Penalty, Start
from headstart.training import Recipe

Frozen = Literal["everything", "all but the last blocks", "the lower half", "all but one block", "nothing"]


_MOVES: dict[str, str] = {
    "biases": "biases",
    "norms": "weights and biases of norms",
    "adapters": "low-rank adapters beside the weights",
    "decomposed": "low-rank adapters beside the weights, a magnitude for every output",
    "all but the last blocks": "the last block, or the last so many, and the head",
    "the lower half": "the upper half and the head",
    "all but one block": "one block and the head",
    "nothing": "everything",
}


@dataclass(frozen=True)
class Strategy:
    """One way to transfer (or, as a control, not to).

    Attributes
    ----------
    name : how users and records name it.
    title : the same in words, to stand in a sentence.
    how : what is particular to it, for the documentation.
    frozen : which part of the network stays as it is.
    pretrained : whether the network starts from the source's weights, or from random ones.
    recipe : (training images, epochs) → `Recipe`; None where only a head is fitted.
    paper : where it comes from; empty of a fitted head and of controls.
    only : which parameters of what is not frozen train, beside the head; ``""`` means all.
    penalty : makes, before training, what is added to the loss; None adds nothing.
    needs_classifier : whether that reads the source's own classifier, which not every network has.
    blocks : how many of the last ones train, where all others are frozen.
    """

    name: str
    title: str
    frozen: Frozen
    pretrained: bool
    recipe: Callable[..., Recipe] | None
    paper: str = ""
    how: str = ""
    only: Only = ""
    penalty: Callable[[Start], Penalty] | None = None
    needs_classifier: bool = False
    blocks: int = 0

    @property
    def control(self) -> bool:
        """Controls transfer nothing: what transfer brings is measured against them."""
        return not self.pretrained

    @property
    def moves(self) -> str:
        """What trains, in words."""
        if not self.trains:
            return "a head"
        if self.only:
            return f"{_MOVES[self.only]}, and the head"
        return _MOVES[self.frozen]

    @property
    def at_hand(self) -> bool:
        """Whether what it needs beside headstart itself is installed."""
        return self.only not in ADAPTERS or peft_at_hand()

    @property
    def trains(self) -> bool:
        """Whether it trains by backpropagation."""
        return self.recipe is not None

    @property
    def fine_tunes(self) -> bool:
        """Whether it trains a network that starts from the source's weights."""
        return self.trains and self.pretrained
