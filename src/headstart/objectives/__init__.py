"""What training lowers: one way of learning a file."""

from headstart.objectives.bss import BatchSpectralShrinkage
from headstart.objectives.cotuning import CoTuning
from headstart.objectives.delta import FeatureMaps
from headstart.objectives.joint import JointCrossEntropy
from headstart.objectives.l2sp import L2SP
from headstart.objectives.penalty import Penalty, Seen, Start
from headstart.objectives.supervised import CrossEntropy

__all__ = [
    "L2SP",
    "BatchSpectralShrinkage",
    "CoTuning",
    "CrossEntropy",
    "FeatureMaps",
    "JointCrossEntropy",
    "Penalty",
    "Seen",
    "Start",
]
