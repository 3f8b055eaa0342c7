"""A look at one image: content id, square of pixels, perceptual hash, thumbnail; all processors look at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

from headstart.data.decode import array_to_square, decode, read_bytes, to_square
from headstart.data.remembered import Remembered, content_id, stamp_of
from headstart.data.store import RowStore
from headstart.errors import ImageError
from headstart.problem import Domain

THUMB = 16
"""Side of the thumbnails that near duplicates are verified on, in pixels."""

HASH_SIDE = 16
_STEP = 2  # grey levels: flat areas of a recompressed JPEG waver by one
_AHEAD = 128
_AHEAD_BYTES = 48 * 2**20
"""Images, and bytes of their squares, that may wait: looking goes on while a block of rows is written."""


class Looked(NamedTuple):
    """One image after a worker's look; `row` is None where the store had it, or it is broken."""

    key: str
    row: Mapping[str, np.ndarray] | None = None
    reason: str = ""


def look(
    domain: Domain, store: RowStore, remembered: Remembered | None, i: int, *, size: int, max_pixels: int
) -> Looked:
    """Read one image, and decode it where the store does not have it; without `remembered`, in any case."""
    try:
        if isinstance(domain.images, np.ndarray):
            array = np.ascontiguousarray(domain.images[i])
            key = content_id(array.tobytes() + f"{array.shape} {array.dtype.str}".encode())
            if remembered and key in store:
                return Looked(key)
            return Looked(key, _row(array_to_square(array, size), (array.shape[1], array.shape[0])))
        path = domain.images[i]
        moment, stamp = time.time_ns(), stamp_of(path)
        blob = read_bytes(path, max_pixels=max_pixels)
        key = content_id(blob)
        if remembered and key in store:
            remembered.put(path, stamp, key, now=moment)
            return Looked(key)
        # Twice the side leaves the last halving to the better filter of `to_square`.
        image, sides = decode(blob, max_pixels=max_pixels, at_least=2 * size)
        row = _row(to_square(image, size), sides)
        if remembered:
            remembered.put(path, stamp, key, now=moment)
        return Looked(key, row)
    except ImageError as error:
        return Looked("", reason=error.fact)


def in_order(looking: Callable[[int], Looked], indices: Sequence[int], *, size: int) -> Generator[Looked, None, None]:
    """Results of `looking`, in order, worked on by all processors, few of them waiting at any time."""
    ahead = max(os.cpu_count() or 1, min(_AHEAD, _AHEAD_BYTES // (3 * size * size)))
    pool = ThreadPoolExecutor(os.cpu_count())
    waiting: deque[Future[Looked]] = deque()
    try:
        for i in indices:
            waiting.append(pool.submit(looking, i))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # on Ctrl-C too
        pool.shutdown(cancel_futures=True)


def _row(square: np.ndarray, sides: tuple[int, int]) -> dict[str, np.ndarray]:
    picture = Image.fromarray(square)
    return {
        "pixels": square,
        "facts": np.array(sides, np.int64),
        "phash": perceptual_hash(picture),
        "thumb": np.array(picture.resize((THUMB, THUMB), Image.Resampling.BOX)),
        "digest": np.frombuffer(hashlib.blake2b(square.tobytes(), digest_size=16).digest(), np.uint8),
    }


def perceptual_hash(square: Image.Image) -> np.ndarray:
    """The difference hash of a picture: bit (r, c) says that column c + 1 is brighter than column c.

    On a 16 × 17 grey reduction, by more than 2 grey levels, so that flat areas give 0 and not
    noise. 256 bits, packed: uint8 (32,). After N. Krawetz, "Kind of Like That" (2013).
    """
    side = (HASH_SIDE + 1, HASH_SIDE)
    grey = np.asarray(square.convert("L").resize(side, Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(np.diff(grey, axis=1) > _STEP)
