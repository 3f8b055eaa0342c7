"""Equal epochs for every network, within the budget, or a budget that would do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.advice import Above, Calibration, Plan, plan_races
from headstart.advice.costs import FEWEST_EPOCHS, VIEWS
from headstart.advice.plan import SAFETY
from headstart.advice.shares import MOST_EPOCHS
from headstart.errors import OptionError

COSTS = {"small": Calibration(0.002, {"all": 0.008}, 1e-3), "large": Calibration(0.004, {"all": 0.016}, 1e-3)}


def plan(budget: float, *, costs: dict[str, Calibration] = COSTS, row: str = "all", races: int = 3) -> Plan:
    return plan_races(row, costs, races=races, budget=budget, spent=20, counts=(600, 200, 500), classes=10)


@given(budget=st.floats(1, 10_000), races=st.integers(1, 9))
def test_a_plan_keeps_to_the_budget_or_names_one_that_would_do(budget: float, races: int) -> None:
    try:
        made = plan(budget, races=races)
    except OptionError as error:
        told = re.search(r"--budget (\d+)([sm])", error.remedy)
        assert told is not None
        enough = int(told[1]) * (60 if told[2] == "m" else 1)
        assert enough > budget
        made = plan(enough, races=races)
        assert made.epochs["small"]["all"] >= FEWEST_EPOCHS
        return
    assert sum(unit.seconds for unit in made.units) <= SAFETY * (budget - 20) + 1e-6
    assert made.epochs["small"] == made.epochs["large"]
    assert FEWEST_EPOCHS <= made.epochs["small"]["all"] <= MOST_EPOCHS
    assert len(made.units) == 4 * races == len({unit.key for unit in made.units})


def test_more_epochs_cost_what_they_cost() -> None:
    few, most = plan(700), plan(4000)
    epochs = most.epochs["large"]["all"] - few.epochs["large"]["all"]
    assert epochs > 0 and most.epochs["large"]["all"] == MOST_EPOCHS
    apart = [b.seconds - a.seconds for a, b in zip(few.units, most.units, strict=True) if "candidate" in a.key]
    each = {name: 600 * (0.85 * c.step["all"] + 0.15 * c.forward) for name, c in COSTS.items()}
    assert apart == pytest.approx([epochs * each[name] for _ in range(3) for name in COSTS])


def test_all_networks_are_trained_in_the_same_way() -> None:
    pays, not_here = Above(1e-4, 1e-4, 1000), Above(1e-4, 1e-4, 10**9)
    both = {name: Calibration(0.002, {"last_block": 0.008}, 1e-3, {"last_block": pays}) for name in "ab"}
    assert {views["last_block"] for views in plan(4000, costs=both, row="last_block").views.values()} == {VIEWS}
    both["b"] = Calibration(0.002, {"last_block": 0.008}, 1e-3, {"last_block": not_here})
    assert {views["last_block"] for views in plan(4000, costs=both, row="last_block").views.values()} == {0}
