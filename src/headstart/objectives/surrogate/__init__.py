"""Surrogate tasks: what can be learned where there are no labels, one file an objective."""

from headstart.objectives.surrogate.ego_motion import EgoMotion, Equivariance
from headstart.objectives.surrogate.pseudo_classes import PseudoClasses
from headstart.objectives.surrogate.rotation import Rotation
from headstart.objectives.surrogate.slow import Slow, SlowMargin, Steady
from headstart.objectives.surrogate.surrogate import Surrogate
from headstart.objectives.surrogate.two_views import TwoViews

__all__ = [
    "EgoMotion",
    "Equivariance",
    "PseudoClasses",
    "Rotation",
    "Slow",
    "SlowMargin",
    "Steady",
    "Surrogate",
    "TwoViews",
]
