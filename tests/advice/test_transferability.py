"""The paper's findings, asked of cells whose effects are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from headstart.advice.transferability import judge_transferability, sentence
from headstart.evidence.transplants import Transplant

AS_IN_THE_PAPER = {
    "BnB": [0.0, -0.03, -0.05, -0.03, 0.0],
    "AnB": [0.0, -0.04, -0.08, -0.09, -0.12],
    "BnB+": [0.005] * 5,
    "AnB+": [0.03] * 5,
    "random": [-0.05, -0.1, -0.2, -0.3, -0.4],
}
DISSIMILAR = {"AnB": [-0.01, -0.08, -0.16, -0.22, -0.3], "random": [-0.05, -0.1, -0.2, -0.3, -0.4]}


Make = Callable[..., list[Transplant]]


def test_what_is_as_in_the_paper_holds(transplanted: Make) -> None:
    found = judge_transferability(transplanted(AS_IN_THE_PAPER), transplanted(DISSIMILAR))
    assert [one.word for one in found] == ["holds"] * 8
    assert sentence(found) == "Of 8 findings of the paper 8 hold here."
    mixed = [*found[:1], replace(found[0], word="opposite"), replace(found[0], word="not shown")]
    assert sentence(mixed) == "Of 3 findings of the paper 1 holds here, 1 the other way round, 1 not shown."


def test_effects_the_other_way_round_are_said_to_be_so(transplanted: Make) -> None:
    turned = {name: [-effect for effect in by_n] for name, by_n in AS_IN_THE_PAPER.items()}
    words = {one.name: one.word for one in judge_transferability(transplanted(turned))}
    assert words["upper layers specialise"] == words["co-adaptation dips in the middle"] == "opposite"
    assert words["transfer and fine-tuning end above the base"] == "opposite"


def test_without_effects_nothing_is_shown_more_often_than_five_in_a_hundred_tables(transplanted: Make) -> None:
    shown = 0
    for number in range(60):
        rng = np.random.default_rng(number)
        none = {name: [0.0] * 5 for name in AS_IN_THE_PAPER}
        noisy = [
            Transplant(one.seed, one.target, one.treatment, one.n, one.base + rng.normal(0, 0.02), one.base)
            for one in transplanted(none)
        ]
        shown += any(one.word != "not shown" for one in judge_transferability(noisy))
    assert shown <= 8  # 5 % of 60 are 3; 8 or fewer in 99 of 100 draws


def test_findings_that_cells_are_lacking_for_are_left_out(transplanted: Make) -> None:
    assert "dissimilar" not in " ".join(one.name for one in judge_transferability(transplanted(AS_IN_THE_PAPER)))
    assert judge_transferability([]) == ()
    assert sentence(()) == "Too few networks have been trained to say anything."
    two = {name: by_n[:2] for name, by_n in AS_IN_THE_PAPER.items()}
    assert "co-adaptation dips in the middle" not in [one.name for one in judge_transferability(transplanted(two))]


@pytest.mark.parametrize("seeds", [1, 2])
def test_two_seeds_show_nothing(seeds: int, transplanted: Make) -> None:
    found = judge_transferability(transplanted(AS_IN_THE_PAPER, seeds=seeds))
    assert {one.word for one in found} == {"not shown"}
    assert all((one.low is None) == (seeds == 1) for one in found)
