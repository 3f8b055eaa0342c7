"""What training lowers: one way of learning a file."""

from headstart.objectives.supervised import CrossEntropy

__all__ = ["CrossEntropy"]
