"""Named arrays in a file that knows whether it is whole: what a run keeps between its steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from headstart.records.files import writing

ENTRY = "headstart"
"""Of the file's metadata: JSON of what is said about the arrays, and of the checksum."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, about: str = "") -> None:
    """Write `arrays`, a sentence or JSON `about` them, and a checksum of both, as safetensors.

    Raises
    ------
    StorageError : the disk is full or the folder may not be written; nothing is left behind.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    # One entry only: safetensors writes several in an order of its own each time, and the bytes would differ.
    told = json.dumps({"about": about, "blake2b": checksum(contiguous, about)})
    with writing(path) as temporary:
        save_file(contiguous, temporary, metadata={ENTRY: told})


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], str] | None:
    """Arrays and what was said about them, or None where the file is missing, cut off or altered.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "z.safetensors"
    >>> write_arrays(path, {"z": np.arange(3.0)}, about="three")
    >>> read_arrays(path)
    ({'z': array([0., 1., 2.])}, 'three')
    """
    try:
        with safe_open(path, "np") as file:
            told = json.loads(file.metadata()[ENTRY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = told["about"]
        whole = told["blake2b"] == checksum(arrays, about)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return (arrays, about) if whole else None


def checksum(arrays: Mapping[str, np.ndarray], about: str) -> str:
    """Hash of names, types, shapes and values, and of what is said about them."""
    digest = hashlib.blake2b(about.encode(), digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
