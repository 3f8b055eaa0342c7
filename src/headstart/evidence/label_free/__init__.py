"""Scores of an adapted model that need no label of the target; higher is better."""

from headstart.evidence.label_free.seen import Seen
from headstart.evidence.label_free.table import VALIDATORS, Validator

__all__ = ["VALIDATORS", "Seen", "Validator"]
