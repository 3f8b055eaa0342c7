"""Thumbnails of images as the network saw them, in a run's ``pictures/``."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from headstart.data import Survey
from headstart.records import writing

THUMBNAIL = 96
"""Largest side, in pixels."""


def keep_picture(folder: Path, survey: Survey, index: int) -> str:
    """Write a thumbnail where it is not there yet; its path in the run."""
    name = f"pictures/{survey.ids[index]}.png"
    path = folder / name
    if not path.exists():
        square = Image.fromarray(survey.pixels([index])[0])
        square.thumbnail((THUMBNAIL, THUMBNAIL))
        with writing(path) as temporary:
            square.save(temporary, format="PNG")
    return name
