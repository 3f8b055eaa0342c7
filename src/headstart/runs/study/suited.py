"""Which surrogate tasks a study tries where none are named: those that the data give."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headstart.data import array_to_square, read_rgb, to_square
from headstart.errors import DataError, ImageError
from headstart.problem import Domain, Sequences, read_sequences, sequences_of_arrays
from headstart.runs.footage import decoded, videos_at
from headstart.runs.material import Data, Progress, arrays_of
from headstart.strategies import SURROGATES

STILLS = tuple(row.name for row in SURROGATES.values() if row.needs in ("images", "motion") and not row.extra)
IN_ORDER = tuple(row.name for row in SURROGATES.values() if row.needs != "labels" and not row.extra)
LOOKED_AT, FEWEST = 100, 40
"""Frames that are compared with later ones, and how many make it worth asking."""
FEWEST_DISTANT = 10
"""Frames with a distant one after them that surrogates of frames need, with some kept apart to judge on."""
SIDE, LATER = 8, 3
GRADUAL = 0.7
"""How often the next frame must differ less than the third one after does: half of the time is no order.

Videos gave 0.82 to 1, a walk through a maze 0.84; stills, some of them sorted by class, 0.49 to 0.57.
"""


def suited(
    data: Data, *, poses: bool, every: int, apart: int, max_pixels: int, progress: Progress = lambda *_: None
) -> tuple[tuple[str, ...], str]:
    """Surrogate tasks without an extra, and a sentence on why these: those of frames where the order means something.

    It does in videos, and where there are poses. Of other images a few are looked at, in the order of
    `read_sequences`: they must change gradually. Few frames, or sequences without frames that are `apart`, do not do.

    Raises
    ------
    DataError : there are images and videos in one folder, or no video can be decoded.
    """
    named = "name others with --by."
    frames, is_video = _frames(data, every=every, max_pixels=max_pixels, progress=progress)
    rows = np.empty((0, LATER + 1), int) if frames is None else _with_distant(frames, apart)
    ordered = is_video or poses
    enough = len(rows) >= FEWEST_DISTANT
    if frames is not None and enough and (ordered or _gradual(frames.x, rows, max_pixels=max_pixels)):
        return IN_ORDER, f"The data are frames in order, so that surrogates of frames are tried, too: {named}"
    if ordered:
        few = f"Only {len(rows)} frame(s) have another {apart} after them in their sequence"
        return STILLS, f"{few}, so that surrogates of frames are not tried: {named}"
    return STILLS, f"The order of the images tells nothing, so that surrogates of single images are tried: {named}"


def _frames(data: Data, *, every: int, max_pixels: int, progress: Progress) -> tuple[Sequences | None, bool]:
    """Images in order, if they can be read so, and whether they come from videos."""
    if isinstance(data, str | Path) and (videos := videos_at(Path(data).expanduser())):
        found, _, _ = decoded(videos, side=SIDE, every=every, max_pixels=max_pixels, progress=progress)
        return found, True
    try:
        return (read_sequences(data) if isinstance(data, str | Path) else sequences_of_arrays(arrays_of(data))), False
    except DataError:  # images all the same, perhaps, or what `pretrain` says the right thing about
        return None, False


def _with_distant(frames: Sequences, apart: int) -> np.ndarray:
    """Sets of frames in a row (m, 4) whose first has another `apart` after it in its sequence."""
    rows = frames.windows(LATER + 1)
    distant = np.minimum(rows[:, 0] + apart, len(frames) - 1)
    kept = (frames.sequence[distant] == frames.sequence[rows[:, 0]]) & (distant - rows[:, 0] == apart)
    found: np.ndarray = rows[kept]
    return found


def _gradual(domain: Domain, rows: np.ndarray, *, max_pixels: int) -> bool:
    rows = rows[np.linspace(0, len(rows), min(len(rows), LOOKED_AT), endpoint=False).astype(int)]
    looks = [_look(domain, (first, then, later), max_pixels=max_pixels) for first, then, *_, later in rows]
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
