"""A fitted model as a directory, and a directory as a predictor. Importing it imports no torch."""

from headstart.bundle.check import read_config
from headstart.bundle.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor", "read_config"]
