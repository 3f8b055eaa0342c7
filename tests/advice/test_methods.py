"""The table of methods beside that of `headstart adapt`."""

from __future__ import annotations

from headstart.advice.methods import METHODS
from headstart.strategies import ADAPTATIONS


def test_methods_are_called_as_adapt_calls_them_and_come_from_the_same_papers() -> None:
    """What `adapt` does not do stands in the table all the same, and is no name of a row."""
    ours = {"bbse", "manifold_alignment", "finetune", "l2sp_towards_source"}
    assert METHODS.keys() - ADAPTATIONS.keys() == ours
    assert all(METHODS[name].paper == ADAPTATIONS[name].paper for name in METHODS.keys() - ours)
