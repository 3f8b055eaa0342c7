"""Features and labels in, fitted scikit-learn estimators out. No gradient through the backbone."""

from headstart.shallow.heads import HEADS, Head, HeadRow, arrays
from headstart.shallow.modules import head_module, linear_start
from headstart.shallow.probing import WIDEST, Probe, best, compete, evenly, fit_probe, screen, shortlist

__all__ = [
    "HEADS",
    "WIDEST",
    "Head",
    "HeadRow",
    "Probe",
    "arrays",
    "best",
    "compete",
    "evenly",
    "fit_probe",
    "head_module",
    "linear_start",
    "screen",
    "shortlist",
]
