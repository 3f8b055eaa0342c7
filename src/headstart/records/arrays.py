"""Named arrays in a file that knows whether it is whole: what a run keeps between its steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from headstart.records.files import writing

ENTRY = "headstart"
"""Of the file's metadata: JSON of what is said about the arrays, and of the checksums."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, about: str = "") -> None:
    """Write `arrays`, a sentence or JSON `about` them, and checksums of both, as safetensors.

    Each array has a checksum of its own, so that who needs one of them need not read the others; what
    the header tells has one too.

    Raises
    ------
    StorageError : the disk is full or the folder may not be written; nothing is left behind.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    # One entry only: safetensors writes several in an order of its own each time, and the bytes would differ.
    sums = {name: checksum(name, array) for name, array in sorted(contiguous.items())}
    told = {"about": about, "sums": sums}
    with writing(path) as temporary:
        save_file(contiguous, temporary, metadata={ENTRY: json.dumps(told | {"blake2b": _digest(told)})})


def read_arrays(path: Path, names: Sequence[str] | None = None) -> tuple[dict[str, np.ndarray], str] | None:
    """Arrays and what was said about them, or None where the file is missing, cut off or altered.

    Parameters
    ----------
    names : the arrays that are wanted (and checked), all by default; None is given where one is not there.

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
            told = read_told(file.metadata())
            held = set(file.keys())
            if names is not None and not held.issuperset(names):
                return None
            arrays = {name: file.get_tensor(name) for name in (held if names is None else names)}
    except (OSError, SafetensorError):
        return None
    if told is None or told[1].keys() != held:
        return None
    if any(told[1][name] != checksum(name, array) for name, array in arrays.items()):
        return None
    return arrays, told[0]


def read_told(metadata: Mapping[str, str] | None) -> tuple[str, dict[str, str]] | None:
    """What a file's metadata say about its arrays, and their checksums by name; None where they were altered."""
    try:
        told = json.loads((metadata or {})[ENTRY])
        whole = told.pop("blake2b") == _digest(told)
        return (told["about"], told["sums"]) if whole else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def checksum(name: str, array: np.ndarray) -> str:
    """Hash of an array's name, type, shape and values."""
    digest = hashlib.blake2b(f"{name} {array.dtype.str} {array.shape}".encode(), digest_size=16)
    digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _digest(told: Mapping[str, object]) -> str:
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()
