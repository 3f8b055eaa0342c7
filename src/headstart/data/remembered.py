"""Content ids of files that have not changed since they were read, so that a hit opens no image.

A file is taken to be unchanged if its size, inode, and times of modification and of status change, in
nanoseconds, are what they were. A file that was touched within the grain of a clock before it was read
might change again under the same times: it is not remembered, but read anew the next time (the rule by
which git guards its index against "racy" entries). Nor is one whose status changed at a whole second: some
file systems keep no such time of their own, and show another. `headstart cache verify` reads them all.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from headstart.problem import Domain
from headstart.records.arrays import read_arrays, write_arrays

GRAIN = 2_000_000_000
"""Nanoseconds within which some file systems cannot tell two writes apart (FAT counts in two seconds)."""

Stamp = tuple[int, int, int, int]
"""Size, inode, time of modification, time of status change."""


def content_id(blob: bytes) -> str:
    """Hash of a file's bytes, 32 hex digits."""
    return hashlib.blake2b(blob, digest_size=16).hexdigest()


class Remembered:
    """The content ids of the files of one domain.

    Parameters
    ----------
    cache : folder that keeps what is remembered, a file a root folder.
    domain : its images; those of an array have no file and are not remembered.
    """

    def __init__(self, cache: Path, domain: Domain) -> None:
        root = domain.root if domain.root is not None else Path(os.sep)
        name = hashlib.blake2b(os.fsencode(root.absolute()), digest_size=12).hexdigest()
        self.path = cache / "hashes" / f"{name}.safetensors"
        self._known = read_remembered(self.path)
        self._changed = False

    def get(self, image: Path) -> str:
        """The id of the file at `image`, or ``""`` where it has to be read."""
        stamp, key = self._known.get(_name(image), (None, ""))
        return key if stamp is not None and stamp == stamp_of(image) else ""

    def put(self, image: Path, stamp: Stamp | None, key: str, *, now: int) -> None:
        """Remember the id of a file that was read, if it can be trusted not to have changed since.

        Parameters
        ----------
        stamp : as it was before the file was read.
        now : `time.time_ns()` of that moment.
        """
        if stamp is not None and stamp[3] % 10**9 and max(stamp[2:]) < now - GRAIN:
            self._known[_name(image)] = (stamp, key)
            self._changed = True

    def write(self) -> None:
        """Keep what is new. Of several processes the last one wins; what it does not know is read anew."""
        if self._changed:
            write_remembered(self.path, self._known)
            self._changed = False


def _name(image: Path) -> str:
    text = str(image)
    return text if text.startswith(os.sep) else str(image.absolute())


def stamp_of(image: Path) -> Stamp | None:
    """What tells an unchanged file, or None where there is none."""
    try:
        status = os.stat(str(image))  # noqa: PTH116 (a third of the time of Path.stat, for every image of every run)
    except OSError:
        return None
    # Some file systems number inodes with all 64 bits, and a signed number holds 63.
    return status.st_size, status.st_ino & (2**63 - 1), status.st_mtime_ns, status.st_ctime_ns


def read_remembered(path: Path) -> dict[str, tuple[Stamp, str]]:
    """What a file of this cache remembers; nothing where it is missing or damaged."""
    found = read_arrays(path)
    if found is None:
        return {}
    arrays, paths = found[0], json.loads(found[1])
    stamps = map(tuple, arrays["stamps"].tolist())
    keys = (bytes(key).hex() for key in arrays["keys"])
    return {name: (stamp, key) for name, stamp, key in zip(paths, stamps, keys, strict=True)}


def write_remembered(path: Path, known: dict[str, tuple[Stamp, str]]) -> None:
    """Write what is remembered, with a checksum."""
    stamps = np.array([stamp for stamp, _ in known.values()], np.int64).reshape(-1, 4)
    keys = np.frombuffer(bytes.fromhex("".join(key for _, key in known.values())), np.uint8).reshape(len(known), 16)
    write_arrays(path, {"stamps": stamps, "keys": keys}, about=json.dumps(list(known)))


def forget_changed(path: Path) -> list[str]:
    """Read every file that the memory at `path` holds to be unchanged; forget, and name, those that have changed."""
    known = read_remembered(path)
    changed = [name for name, (stamp, key) in known.items() if stamp == stamp_of(Path(name)) and key != _id_of(name)]
    if changed:
        write_remembered(path, {name: value for name, value in known.items() if name not in set(changed)})
    return changed


def _id_of(name: str) -> str:
    try:
        return content_id(Path(name).read_bytes())
    except OSError:
        return ""
