"""What training lowers beside the source's loss so that it holds on a target without labels: one way a file."""

from headstart.objectives.adapt.adapting import Adapting, Alignment, Both
from headstart.objectives.adapt.cdan import CDAN
from headstart.objectives.adapt.dan import DAN
from headstart.objectives.adapt.dann import DANN
from headstart.objectives.adapt.deep_coral import DeepCORAL
from headstart.objectives.adapt.jan import JAN
from headstart.objectives.adapt.mcc import MCC
from headstart.objectives.adapt.mdd import MDD
from headstart.objectives.adapt.mean_teacher import MeanTeacher
from headstart.objectives.adapt.pseudo_labels import PseudoLabels
from headstart.objectives.adapt.shot import SHOT

__all__ = [
    "CDAN",
    "DAN",
    "DANN",
    "JAN",
    "MCC",
    "MDD",
    "SHOT",
    "Adapting",
    "Alignment",
    "Both",
    "DeepCORAL",
    "MeanTeacher",
    "PseudoLabels",
]
