"""Whole files or none: a file appears under its name only when all of it is on the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.errors import StorageError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving it becomes `path` (fsync, then rename).

    Raises
    ------
    StorageError : the disk is full, or the folder may not be written. Nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at `path` into `StorageError` with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fact = f"The disk is full: {path} could not be written."
            remedy = "Free some space (`headstart cache prune` helps) and repeat the command; it goes on where it was."
            raise StorageError(fact, remedy) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fact = f"No permission to write {path}."
            raise StorageError(fact, "Choose another folder, or change its permissions.") from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            fact = f"{path} cannot be made: a part of that path is a file, not a folder."
            raise StorageError(fact, "Choose another folder.") from error
        raise
