"""Features and activations at the cuts of a backbone: computed once per image, kept on disk."""

from headstart.features.activations import Activations, Passing, activations
from headstart.features.extract import Features, extract

__all__ = ["Activations", "Features", "Passing", "activations", "extract"]
