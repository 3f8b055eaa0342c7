"""What training lowers: one way of learning a file."""

from headstart.objectives.bss import BatchSpectralShrinkage
from headstart.objectives.l2sp import L2SP
from headstart.objectives.penalty import Penalty
from headstart.objectives.supervised import CrossEntropy

__all__ = ["L2SP", "BatchSpectralShrinkage", "CrossEntropy", "Penalty"]
