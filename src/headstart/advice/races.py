"""A budget becomes a plan of races: the same networks, fine-tuned anew on every split, each for as many epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from headstart.advice.costs import FEWEST_EPOCHS, Calibration, Cost, Sizes, cost_of
from headstart.advice.plan import JUDGED, SAFETY, Plan, Unit
from headstart.advice.shares import MOST_EPOCHS
from headstart.errors import OptionError

SCORING = 0.007
"""Seconds an image that ten scores and their halves took with 1,280 features, measured on 588 and on 1,078 images."""
ROUGH = 1.1
"""What a budget should exceed its need by: measured again, the need is not quite the same."""


def plan_races(
    row: str,
    calibrations: Mapping[str, Calibration],
    *,
    races: int,
    budget: float,
    spent: float,
    counts: tuple[int, int, int],
    classes: int,
) -> Plan:
    """Equal epochs for every network in every race, within `budget` seconds of which `spent` are gone.

    Activations are stored where that pays for every network, or for none: all are trained in the same way.

    Parameters
    ----------
    row : the strategy by which all are fine-tuned.
    calibrations : costs of every network.
    counts : images in the training and in the validation part, and those of the training part that are scored.

    Raises
    ------
    OptionError : the budget does not allow the fewest epochs; the remedy names one that would.
    """
    n, n_val, n_scored = counts
    costs = _costs(row, calibrations, Sizes(n, n + n_val, None))
    scoring = {name: _scoring(c, n=n, scored=n_scored, classes=classes) for name, c in calibrations.items()}
    judging = {name: n_val * c.forward for name, c in calibrations.items()}
    fixed = races * sum(scoring[name] + judging[name] + costs[name].start for name in costs)
    each = races * sum(cost.epoch for cost in costs.values())
    epochs = math.floor((SAFETY * (budget - spent) - fixed) / each)
    if epochs < FEWEST_EPOCHS:
        needed = ROUGH * (spent + (fixed + FEWEST_EPOCHS * each) / SAFETY)
        raise _too_small(needed, budget=budget, trainings=races * len(costs), races=races)
    epochs = min(epochs, MOST_EPOCHS)
    units = [
        unit
        for race in range(races)
        for number, (name, cost) in enumerate(costs.items())
        for unit in (
            Unit(f"scored/{race}-{number}", f"features and scores of {name}, repeat {race + 1}", scoring[name]),
            Unit(
                f"candidate/{race}-{number}",
                f"fine-tuning {name}, repeat {race + 1}, at most {epochs} epochs",
                cost.start + epochs * cost.epoch + judging[name],
            ),
        )
    ]
    return Plan(
        folds=None,
        epochs={name: {row: epochs} for name in costs},
        views={name: {row: cost.views} for name, cost in costs.items()},
        trials={name: {row: 1} for name in costs},
        units=tuple(units),
        notes=(),
    )


def _costs(row: str, calibrations: Mapping[str, Calibration], sizes: Sizes) -> dict[str, Cost]:
    costs = {name: cost_of(row, c, sizes) for name, c in calibrations.items()}
    if all(cost.views for cost in costs.values()):
        return costs
    return {name: cost_of(row, replace(c, above={}), sizes) for name, c in calibrations.items()}


def _scoring(c: Calibration, *, n: int, scored: int, classes: int) -> float:
    """Features of the training part, the scores, and the heads of the best probe."""
    return 7.0 + (n / 2 + JUDGED) * c.forward + scored * (SCORING + classes * c.heads)


def _too_small(needed: float, *, budget: float, trainings: int, races: int) -> OptionError:
    fewer = "fewer --repeats, fewer backbones" if races > 1 else "fewer backbones"
    fact = (
        f"{trainings} fine-tunings of at least {FEWEST_EPOCHS} epochs and the scores should take about "
        f"{_told(needed)}; the budget is {_told(budget)}."
    )
    return OptionError(fact, f"Give --budget {_option(needed)}, {fewer} or a smaller --size.")


def _told(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"


def _option(seconds: float) -> str:
    return f"{math.ceil(seconds)}s" if seconds < 120 else f"{math.ceil(seconds / 60)}m"
