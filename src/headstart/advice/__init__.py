"""From records and a budget: what to try, and what it meant."""

from headstart.advice.plan import Above, Calibration, Plan, Unit, make_plan
from headstart.advice.races import plan_races
from headstart.advice.verdict import Candidate, Difference, Verdict, decide

__all__ = [
    "Above",
    "Calibration",
    "Candidate",
    "Difference",
    "Plan",
    "Unit",
    "Verdict",
    "decide",
    "make_plan",
    "plan_races",
]
