"""Arrays in, numbers with intervals out. No model, no file, no choice."""

from headstart.evidence.bootstrap import (
    Difference,
    Interval,
    interval,
    paired,
    simultaneous,
)
from headstart.evidence.calibration import fit_temperature, softmax
from headstart.evidence.choosing import best_of, luck_of_choosing
from headstart.evidence.metrics import METRICS, Metric, calibration_error, confusion, log_loss, losses
from headstart.evidence.replicates import training_draw

__all__ = [
    "METRICS",
    "Difference",
    "Interval",
    "Metric",
    "best_of",
    "calibration_error",
    "confusion",
    "fit_temperature",
    "interval",
    "log_loss",
    "losses",
    "luck_of_choosing",
    "paired",
    "simultaneous",
    "softmax",
    "training_draw",
]
