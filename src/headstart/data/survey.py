"""Reading every image exactly once: content id, square of pixels, perceptual hash, thumbnail.

Pixels go to a row store under the hash of the file's bytes, so that a second run, another split or
another folder with the same files decodes nothing.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from headstart.data.decode import (
    DECODE_VERSION,
    MAX_PIXELS,
    array_to_square,
    decode,
    read_bytes,
    to_square,
    too_large,
)
from headstart.data.store import RowStore
from headstart.errors import ImageError
from headstart.problem import Domain

THUMB = 16
"""Side of the thumbnails that near duplicates are verified on, in pixels."""

_HASH_SIDE = 16
_STEP = 2  # grey levels: flat areas of a recompressed JPEG waver by one
_AHEAD = 32
_BLOCK_ROWS, _BLOCK_BYTES = 1024, 32 * 2**20

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What reading every image once gave.

    Attributes
    ----------
    domain : the n images.
    size : side of the squares of pixels.
    ids : hash of every image's bytes, 32 hex digits; ``""`` for a broken one.
    broken : (index, reason) of the images that cannot be read.
    sizes : int64 (n, 2), width and height of the upright picture; 0 for a broken one.
    hashes : uint8 (n, 32), perceptual hashes (see `perceptual_hash`).
    thumbs : uint8 (n, 16, 16, 3).
    digests : uint8 (n, 16), hashes of the decoded squares.
    store : where the pixels are.
    """

    domain: Domain
    size: int
    ids: tuple[str, ...]
    broken: tuple[tuple[int, str], ...]
    sizes: np.ndarray = field(repr=False)
    hashes: np.ndarray = field(repr=False)
    thumbs: np.ndarray = field(repr=False)
    digests: np.ndarray = field(repr=False)
    store: RowStore = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def pixels(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Pixels of the images at `indices`, uint8 (m, size, size, 3), in that order.

        Raises
        ------
        KeyError : one of them is broken.
        """
        if len(indices) == 0:
            return np.empty((0, self.size, self.size, 3), np.uint8)
        return self.store.read("pixels", [self.ids[i] for i in indices])

    def fingerprint(self, y: np.ndarray) -> str:
        """Hash of all contents and labels, in order: equal only for the same data, 32 hex digits."""
        digest = hashlib.blake2b("\n".join(self.ids).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(y, dtype="<i8").tobytes())
        return digest.hexdigest()


class _Looked(NamedTuple):
    """One image after a worker's look; `row` is None where the store had it, or it is broken."""

    key: str
    row: Mapping[str, np.ndarray] | None = None
    reason: str = ""


def survey(
    domain: Domain, size: int, *, cache: Path, max_pixels: int = MAX_PIXELS, progress: Progress = quiet
) -> Survey:
    """Read every image of `domain` once and keep a square of its pixels.

    Memory stays bounded however many images there are: about 1 KB an image, and one block of rows.

    Parameters
    ----------
    size : side of the squares, in pixels.
    cache : folder of the row store.
    max_pixels : cap on width × height; an image above it counts as broken.
    progress : called after every image.

    Raises
    ------
    StorageError : the disk is full, or `cache` may not be written.
    """
    store = RowStore(cache / "pixels" / f"{size}-{DECODE_VERSION}")
    look = partial(_look, domain, store, size=size, max_pixels=max_pixels)
    block = _Block(store, max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // (3 * size * size))))
    ids: list[str] = []
    broken: list[tuple[int, str]] = []
    with warnings.catch_warnings(), closing(_in_order(look, len(domain))) as all_looked:
        # Pillow warns of odd EXIF data and large pictures; what matters of it is in `broken`.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for i, looked in enumerate(all_looked):
            if looked.reason:
                broken.append((i, looked.reason))
            elif looked.row is not None:
                block.add(looked.key, looked.row)
            ids.append(looked.key)
            progress("reading images", i + 1, len(domain))
    block.write()
    return _gather(domain, size, ids, broken, store=store, max_pixels=max_pixels)


def perceptual_hash(square: Image.Image) -> np.ndarray:
    """The difference hash of a picture: bit (r, c) says that column c + 1 is brighter than column c.

    On a 16 × 17 grey reduction, by more than 2 grey levels, so that flat areas give 0 and not
    noise. 256 bits, packed: uint8 (32,). After N. Krawetz, "Kind of Like That" (2013).
    """
    side = (_HASH_SIDE + 1, _HASH_SIDE)
    grey = np.asarray(square.convert("L").resize(side, Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(np.diff(grey, axis=1) > _STEP)


def _in_order(look: Callable[[int], _Looked], n: int) -> Generator[_Looked, None, None]:
    """Results of `look` for 0 … n-1, worked on by all processors, few of them waiting at any time."""
    pool = ThreadPoolExecutor(os.cpu_count())
    waiting: deque[Future[_Looked]] = deque()
    try:
        for i in range(n):
            waiting.append(pool.submit(look, i))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # on Ctrl-C too
        pool.shutdown(cancel_futures=True)


def _look(domain: Domain, store: RowStore, i: int, *, size: int, max_pixels: int) -> _Looked:
    try:
        if isinstance(domain.images, np.ndarray):
            array = np.ascontiguousarray(domain.images[i])
            key = _hash(array.tobytes() + f"{array.shape} {array.dtype.str}".encode())
            if key in store:
                return _Looked(key)
            return _Looked(key, _row(array_to_square(array, size), (array.shape[1], array.shape[0])))
        blob = read_bytes(domain.images[i], max_pixels=max_pixels)
        key = _hash(blob)
        if key in store:
            return _Looked(key)
        # Twice the side leaves the last halving to the better filter of `to_square`.
        image, sides = decode(blob, max_pixels=max_pixels, at_least=2 * size)
        return _Looked(key, _row(to_square(image, size), sides))
    except ImageError as error:
        return _Looked("", reason=error.fact)


def _row(square: np.ndarray, sides: tuple[int, int]) -> dict[str, np.ndarray]:
    picture = Image.fromarray(square)
    return {
        "pixels": square,
        "facts": np.array(sides, np.int64),
        "phash": perceptual_hash(picture),
        "thumb": np.array(picture.resize((THUMB, THUMB), Image.Resampling.BOX)),
        "digest": np.frombuffer(hashlib.blake2b(square.tobytes(), digest_size=16).digest(), np.uint8),
    }


def _hash(blob: bytes) -> str:
    return hashlib.blake2b(blob, digest_size=16).hexdigest()


class _Block:
    """Rows on their way to the store, written when they are `full`."""

    def __init__(self, store: RowStore, full: int) -> None:
        self.store = store
        self.full = full
        self.rows: dict[str, Mapping[str, np.ndarray]] = {}

    def add(self, key: str, row: Mapping[str, np.ndarray]) -> None:
        if key not in self.store:
            self.rows[key] = row
        if len(self.rows) >= self.full:
            self.write()

    def write(self) -> None:
        if self.rows:
            rows = list(self.rows.values())
            self.store.put(list(self.rows), {name: np.stack([row[name] for row in rows]) for name in rows[0]})
            self.rows.clear()


def _gather(
    domain: Domain, size: int, ids: list[str], broken: list[tuple[int, str]], *, store: RowStore, max_pixels: int
) -> Survey:
    """Read back what is small enough to be held for all images at once."""
    sizes = _column(store, "facts", ids, np.zeros((len(ids), 2), np.int64))
    # The store may hold pixels that an earlier run with a higher cap let in.
    for i in np.flatnonzero(sizes.prod(axis=1) > max_pixels).tolist():
        broken.append((i, too_large(sizes[i, 0], sizes[i, 1], max_pixels)))
        ids[i] = ""
        sizes[i] = 0
    return Survey(
        domain=domain,
        size=size,
        ids=tuple(ids),
        broken=tuple(sorted(broken)),
        sizes=sizes,
        hashes=_column(store, "phash", ids, np.zeros((len(ids), _HASH_SIDE**2 // 8), np.uint8)),
        thumbs=_column(store, "thumb", ids, np.zeros((len(ids), THUMB, THUMB, 3), np.uint8)),
        digests=_column(store, "digest", ids, np.zeros((len(ids), 16), np.uint8)),
        store=store,
    )


def _column(store: RowStore, name: str, ids: list[str], values: np.ndarray) -> np.ndarray:
    """One array of the store in the rows of `values` that are not broken; the others stay as they are."""
    whole = [i for i, key in enumerate(ids) if key]
    if whole:
        values[whole] = store.read(name, [ids[i] for i in whole])
    return values
