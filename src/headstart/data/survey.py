"""Reading every image exactly once: content id, square of pixels, perceptual hash, thumbnail.

Pixels go to a row store under the hash of the file's bytes, so that a second run, another split or
another folder with the same files decodes nothing; and a file that has not changed is not even opened.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from headstart.data.decode import DECODE_VERSION, MAX_PIXELS, too_large
from headstart.data.look import HASH_SIDE, THUMB, in_order, look
from headstart.data.remembered import Remembered
from headstart.data.store import RowStore
from headstart.errors import StorageError
from headstart.problem import Domain

_COLUMNS = ("facts", "phash", "thumb", "digest")
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
    max_pixels : cap on width × height under which they were read.
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
    max_pixels: int = MAX_PIXELS

    def __len__(self) -> int:
        return len(self.ids)

    def pixels(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Pixels of the images at `indices`, uint8 (m, size, size, 3), in that order.

        Where the store was damaged since, the images are read again.

        Raises
        ------
        KeyError : one of them is broken.
        StorageError : the store was damaged, and the image has changed.
        """
        if len(indices) == 0:
            return np.empty((0, self.size, self.size, 3), np.uint8)
        ids = [self.ids[i] for i in indices]
        if gone := self.store.missing([key for key in ids if key], ["pixels"]):
            places = dict(zip(ids, (int(i) for i in indices), strict=True))
            _read_again(self.domain, self.store, {key: places[key] for key in gone}, self.size, self.max_pixels)
        return self.store.read("pixels", ids)

    def fingerprint(self, y: np.ndarray) -> str:
        """Hash of all contents and labels, in order: equal only for the same data, 32 hex digits."""
        digest = hashlib.blake2b("\n".join(self.ids).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(y, dtype="<i8").tobytes())
        return digest.hexdigest()


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
    remembered = Remembered(cache, domain)
    ids = _remembered_ids(domain, remembered)
    absent = set(store.missing([key for key in ids if key], _COLUMNS))
    unread = [i for i, key in enumerate(ids) if not key or key in absent]
    looking = partial(look, domain, store, remembered, size=size, max_pixels=max_pixels)
    block = _Block(store, size)
    broken: list[tuple[int, str]] = []
    with _silent(), closing(in_order(looking, unread, size=size)) as all_looked:
        for i, looked in zip(unread, all_looked, strict=True):
            if looked.reason:
                broken.append((i, looked.reason))
            elif looked.row is not None:
                block.add(looked.key, looked.row)
            ids[i] = looked.key
            progress("reading images", i + 1, len(domain))
    block.write()
    remembered.write()
    places = {key: i for i, key in enumerate(ids) if key}
    if gone := store.missing(list(places), _COLUMNS):
        _read_again(domain, store, {key: places[key] for key in gone}, size, max_pixels)
    if not unread or unread[-1] + 1 < len(domain):
        progress("reading images", len(domain), len(domain))
    return _gather(domain, size, ids, broken, store=store, max_pixels=max_pixels)


def _remembered_ids(domain: Domain, remembered: Remembered) -> list[str]:
    if isinstance(domain.images, np.ndarray):
        return [""] * len(domain)
    return [remembered.get(path) for path in domain.images]


def _read_again(domain: Domain, store: RowStore, places: Mapping[str, int], size: int, max_pixels: int) -> None:
    """Put rows that the store lost: of the images with these ids, which stand at these places of the domain."""
    block = _Block(store, size)
    looking = partial(look, domain, store, None, size=size, max_pixels=max_pixels)
    with _silent(), closing(in_order(looking, list(places.values()), size=size)) as all_looked:
        for (key, i), looked in zip(places.items(), all_looked, strict=True):
            if looked.key != key or looked.row is None:
                fact = f"Pixels of {domain.label_of(i)} were damaged in the cache, and the image has changed or gone."
                raise StorageError(fact, "Repeat the command with the data as they are now, in another folder.")
            block.add(key, looked.row)
    block.write()


@contextmanager
def _silent() -> Iterator[None]:
    """Pillow warns of odd EXIF data and large pictures; what matters of it is in `broken`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


class _Block:
    """Rows on their way to the store, written when they are `full`."""

    def __init__(self, store: RowStore, size: int) -> None:
        self.store = store
        self.full = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // (3 * size * size)))
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
        hashes=_column(store, "phash", ids, np.zeros((len(ids), HASH_SIDE**2 // 8), np.uint8)),
        thumbs=_column(store, "thumb", ids, np.zeros((len(ids), THUMB, THUMB, 3), np.uint8)),
        digests=_column(store, "digest", ids, np.zeros((len(ids), 16), np.uint8)),
        store=store,
        max_pixels=max_pixels,
    )


def _column(store: RowStore, name: str, ids: list[str], values: np.ndarray) -> np.ndarray:
    """One array of the store in the rows of `values` that are not broken; the others stay as they are."""
    whole = [i for i, key in enumerate(ids) if key]
    if whole:
        values[whole] = store.read(name, [ids[i] for i in whole])
    return values
