"""What is kept between runs: pixels, features, compiled graphs, and which files have not changed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.data import RowStore, forget_changed
from headstart.records.arrays import read_arrays
from headstart.records.files import storage_errors
from headstart.runs.options import parse_bytes

ROOMS = ("pixels", "features", "activations", "engines", "hashes")
STORES = ("pixels", "features", "activations")
A_DAY = 24 * 3600.0
LIMIT = "20GB"
"""Size to which the cache is shrunk when a run starts, unless HEADSTART_CACHE_LIMIT says another."""


@dataclass(frozen=True)
class Entry:
    """One folder of the cache: what it is, its size, when it was last written or read from."""

    room: str
    name: str
    path: Path
    bytes: int
    used: float


def entries(cache: Path) -> list[Entry]:
    """All entries, the least recently used first."""
    found = []
    for room in ROOMS:
        for path in sorted((cache / room).glob("[!.]*")) if (cache / room).is_dir() else ():
            with suppress(FileNotFoundError):  # another process may be pruning, too
                files = [f.stat() for f in path.rglob("[!.]*") if f.is_file()] if path.is_dir() else [path.stat()]
                used = max((max(s.st_mtime, s.st_atime) for s in files), default=path.stat().st_mtime)
                found.append(Entry(room, path.name, path, sum(s.st_size for s in files), used))
    return sorted(found, key=lambda entry: entry.used)


def prune(cache: Path, *, to: int = 0, unused_for: float = 0.0) -> list[Entry]:
    """Remove the least recently used entries until `to` bytes are left; gives what was removed.

    Parameters
    ----------
    unused_for : seconds; entries that were used since are kept even so.

    Raises
    ------
    StorageError : the cache may not be written.
    """
    kept = entries(cache)
    total = sum(entry.bytes for entry in kept)
    removed = []
    for entry in kept:
        if total <= to or entry.used > time.time() - unused_for:
            break
        with storage_errors(entry.path), suppress(FileNotFoundError):
            shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink()
        total -= entry.bytes
        removed.append(entry)
    return removed


def keep_within_limit(cache: Path) -> list[Entry]:
    """Remove the least recently used entries above the limit, but none that a run of today may be using.

    Raises
    ------
    OptionError : HEADSTART_CACHE_LIMIT is not a size.
    """
    return prune(cache, to=parse_bytes(os.environ.get("HEADSTART_CACHE_LIMIT") or LIMIT), unused_for=A_DAY)


@dataclass(frozen=True)
class Verified:
    """What reading the whole cache found.

    Attributes
    ----------
    entries : how many were read.
    damaged : files that were altered or cut off; they are removed, and computed anew when they are wanted.
    changed : images that changed although their size and times did not; they are read anew.
    """

    entries: int
    damaged: tuple[Path, ...]
    changed: tuple[str, ...]


def verify(cache: Path, *, progress: Callable[[str, int, int], None] = lambda stage, done, total: None) -> Verified:
    """Compare every checksum in the cache, and every image that is held to be unchanged with its hash.

    Raises
    ------
    StorageError : the cache may not be written.
    """
    kept = entries(cache)
    damaged: list[Path] = []
    changed: list[str] = []
    for done, entry in enumerate(kept, 1):
        with storage_errors(entry.path):
            if entry.room in STORES:
                store = RowStore(entry.path)
                store.verify()
                damaged += store.damaged
            elif read_arrays(entry.path) is None:
                entry.path.unlink(missing_ok=True)
                damaged.append(entry.path)
            elif entry.room == "hashes":
                changed += forget_changed(entry.path)
        progress("verifying the cache", done, len(kept))
    return Verified(len(kept), tuple(damaged), tuple(changed))
