"""Scores that guess from features and labels, without fine-tuning, how well a network will do on a task."""

from headstart.evidence.transferability.table import SCORES, Score

__all__ = ["SCORES", "Score"]
