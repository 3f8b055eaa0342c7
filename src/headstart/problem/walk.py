"""Listing folders: every file that might be an image, in one order on every machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import DataError
from headstart.problem.domain import printable

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm".split(),
)
_LEFT_BY_SYSTEMS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at `path` into `DataError`."""
    try:
        yield
    except OSError as error:
        fact = f"{printable(path)} cannot be read: {error.strerror or error}."
        raise DataError(fact, "Check the path and its permissions.") from error


def listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Subfolders and files of `folder`, sorted by name, without hidden ones and systems' litter.

    Raises
    ------
    DataError : the folder cannot be read.
    """
    folders: list[Path] = []
    files: list[Path] = []
    with reading(folder), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name.lower() in _LEFT_BY_SYSTEMS:
                continue
            (folders if _is_folder(entry) else files).append(folder / entry.name)
    return folders, files


def files_under(folder: Path) -> list[Path]:
    """All files below `folder`, at any depth, sorted by relative path; linked folders are followed.

    A folder that was already seen on the way, or that contains `folder`, is not entered again, so
    that a link to a parent neither hangs nor pulls a neighbour's images in.

    Raises
    ------
    DataError : a folder on the way cannot be read.
    """
    with reading(folder):
        seen = {_identity(above) for above in folder.resolve().parents}
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        with reading(current):
            identity = _identity(current)
        if identity not in seen:
            seen.add(identity)
            inner, files = listing(current)
            found += files
            waiting += reversed(inner)
    return sorted(found, key=Path.as_posix)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a candidate that will be named as broken
        return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
