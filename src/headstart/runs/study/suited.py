"""Which surrogate tasks a study tries where none are named: those that the data give."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headstart.data import array_to_square, read_rgb, to_square
from headstart.errors import DataError, ImageError
from headstart.problem import Domain, read_sequences, sequences_of_arrays
from headstart.runs.footage import videos_at
from headstart.runs.material import Data, arrays_of
from headstart.strategies import SURROGATES

STILLS = tuple(row.name for row in SURROGATES.values() if row.needs in ("images", "motion") and not row.extra)
IN_ORDER = tuple(row.name for row in SURROGATES.values() if row.needs != "labels" and not row.extra)
LOOKED_AT, FEWEST = 100, 40
"""Frames that are compared with later ones, and how many make it worth asking."""
SIDE, LATER = 8, 3
GRADUAL = 0.7
"""How often the next frame must differ less than the third one after does: half of the time is no order.

Videos gave 0.82 to 1, a walk through a maze 0.84; stills, some of them sorted by class, 0.49 to 0.57.
"""


def suited(data: Data, *, poses: bool, apart: int, max_pixels: int) -> tuple[tuple[str, ...], str]:
    """Surrogate tasks without an extra, and a sentence on why these: those of frames where the order means something.

    It does in videos, and where there are poses. Of other images a few are looked at, in the order of
    `read_sequences`: they must change gradually. Sequences without frames that are `apart` do not count.

    Raises
    ------
    DataError : there are images and videos in one folder.
    """
    named = "name others with --by."
    if poses or _in_order(data, apart=apart, max_pixels=max_pixels):
        return IN_ORDER, f"The data are frames in order, so that surrogates of frames are tried, too: {named}"
    return STILLS, f"The order of the images tells nothing, so that surrogates of single images are tried: {named}"


def _in_order(data: Data, *, apart: int, max_pixels: int) -> bool:
    if isinstance(data, str | Path) and videos_at(Path(data).expanduser()):
        return True
    try:
        frames = read_sequences(data) if isinstance(data, str | Path) else sequences_of_arrays(arrays_of(data))
    except DataError:  # images all the same, perhaps, or what `pretrain` says the right thing about
        return False
    rows = frames.windows(LATER + 1)
    distant = np.minimum(rows[:, 0] + apart, len(frames) - 1)
    rows = rows[(frames.sequence[distant] == frames.sequence[rows[:, 0]]) & (distant - rows[:, 0] == apart)]
    rows = rows[np.linspace(0, len(rows), min(len(rows), LOOKED_AT), endpoint=False).astype(int)]
    looks = [_look(frames.x, (first, then, later), max_pixels=max_pixels) for first, then, *_, later in rows]
    closer = [near < far for near, far in filter(None, looks)]
    return len(closer) >= FEWEST and bool(np.mean(closer) > GRADUAL)


def _look(domain: Domain, rows: tuple[int, int, int], *, max_pixels: int) -> tuple[float, float] | None:
    """By how much, squared, a frame differs from two others as a small square; None where one is broken."""
    try:
        first, *others = (_square(domain, i, max_pixels=max_pixels).astype(float) for i in rows)
    except ImageError:
        return None
    near, far = (float(np.square(other - first).sum()) for other in others)
    return near, far


def _square(domain: Domain, i: int, *, max_pixels: int) -> np.ndarray:
    if isinstance(domain.images, np.ndarray):
        return array_to_square(domain.images[i], SIDE)
    return to_square(read_rgb(domain.images[i], max_pixels=max_pixels, at_least=2 * SIDE), SIDE)
