"""Features at the cuts of a backbone: computed once per image, kept on disk."""

from headstart.features.extract import Features, extract

__all__ = ["Features", "extract"]
