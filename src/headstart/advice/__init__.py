"""From records and a budget: what to try, and what it meant."""

from headstart.advice.costs import Above, Calibration
from headstart.advice.halving import Rung, survivors
from headstart.advice.plan import Plan, Unit, make_plan
from headstart.advice.races import plan_races
from headstart.advice.verdict import Candidate, Difference, Verdict, decide
from headstart.advice.why import CutValue, Facts, why

__all__ = [
    "Above",
    "Calibration",
    "Candidate",
    "CutValue",
    "Difference",
    "Facts",
    "Plan",
    "Rung",
    "Unit",
    "Verdict",
    "decide",
    "make_plan",
    "plan_races",
    "survivors",
    "why",
]
