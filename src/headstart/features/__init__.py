"""Features and activations at the cuts of a backbone: computed once per image, kept on disk."""

from headstart.features.activations import Activations, activations
from headstart.features.extract import Features, extract

__all__ = ["Activations", "Features", "activations", "extract"]
