"""Rows of arrays by content id, kept on disk in append-only shards: pixels and features alike.

A store is a folder of shards. A shard is one safetensors file: arrays of equal length, one row an
image, and in its metadata the ids of the rows and a checksum of the arrays. A shard appears whole
or not at all; several processes may add to one store, the worst that happens is that a row stands
in it twice.
"""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InternalError, StorageError
from headstart.records.arrays import ENTRY, checksum, write_arrays

_DTYPES: dict[str, np.dtype[Any]] = {"U8": np.dtype("u1"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


@dataclass(frozen=True)
class _Array:
    """Where the rows of one array stand in a shard's file."""

    dtype: np.dtype
    row_shape: tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.row_shape))


@dataclass(frozen=True)
class _Shard:
    path: Path
    arrays: Mapping[str, _Array]


class RowStore:
    """Arrays of fixed row shape under content ids.

    Parameters
    ----------
    folder : where the shards lie; made when the first row is put.

    A shard that was cut off or altered fails its checksum when it is opened: it is deleted, named
    in `damaged`, and its rows count as missing, so that whoever asks computes them anew.

    Examples
    --------
    >>> import tempfile
    >>> store = RowStore(Path(tempfile.mkdtemp()))
    >>> store.put(["a", "b"], {"z": np.eye(2, dtype="f4")})
    >>> store.missing(["b", "c"])
    ['c']
    >>> store.read("z", ["b", "a"])
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.damaged: list[Path] = []
        self._where: dict[str, tuple[_Shard, int]] = {}
        for path in sorted(self.folder.glob("*.rows")):
            self._open(path)

    def _open(self, path: Path) -> None:
        found = _read_header(path)
        if found is None:
            self.damaged.append(path)
            path.unlink(missing_ok=True)
            return
        shard, ids = found
        for row, key in enumerate(ids):
            self._where.setdefault(key, (shard, row))

    def __contains__(self, key: str) -> bool:
        return key in self._where

    def missing(self, ids: Sequence[str]) -> list[str]:
        """The ids that have no row yet, each once, in order."""
        return [key for key in dict.fromkeys(ids) if key not in self._where]

    def put(self, ids: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
        """Add one shard: row i of every array belongs to ``ids[i]``.

        Raises
        ------
        StorageError : the disk is full or the folder may not be written; no shard is left behind.
        InternalError : an array has a type that a store does not hold.
        """
        contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
        for name, array in contiguous.items():
            if array.dtype not in _DTYPES.values():
                raise InternalError(f"rows of {name} have the type {array.dtype}, which a store does not hold")
        path = self.folder / f"{uuid.uuid4().hex}.rows"
        write_arrays(path, contiguous, about=json.dumps(list(ids)))
        self._open(path)

    def read(self, name: str, ids: Sequence[str]) -> np.ndarray:
        """Rows of array `name` for `ids`, in that order, as one array (len(ids), *row shape).

        Raises
        ------
        KeyError : an id has no row.
        StorageError : somebody removed the shard since it was opened.
        """
        places = [self._where[key] for key in ids]
        sample = places[0][0].arrays[name]
        out = np.empty((len(ids), *sample.row_shape), sample.dtype)
        flat = out.reshape(len(ids), -1).view("u1") if len(ids) else out
        for path, start, rows, slots in _runs(places, name):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError as error:
                fact = f"{path} was removed while it was in use."
                raise StorageError(fact, "Repeat the command; what is missing is computed anew.") from error
            try:
                for (first, last), slot in zip(rows, slots, strict=True):
                    count = last - first
                    block = os.pread(descriptor, count * sample.row_bytes, start + first * sample.row_bytes)
                    flat[slot : slot + count] = np.frombuffer(block, "u1").reshape(count, -1)
            finally:
                os.close(descriptor)
        return out

    def bytes(self) -> int:
        """Size on disk."""
        return sum(path.stat().st_size for path in self.folder.glob("*.rows"))


def _runs(
    places: Sequence[tuple[_Shard, int]], name: str
) -> Iterator[tuple[Path, int, list[tuple[int, int]], list[int]]]:
    """Group wanted rows by shard and merge neighbours, so that a run of rows is one read.

    Reads go through `pread`, not a memory map: mapped pages would count as the process's memory.
    """
    by_shard: dict[Path, tuple[_Shard, list[tuple[int, int]]]] = {}
    for slot, (shard, row) in enumerate(places):
        by_shard.setdefault(shard.path, (shard, []))[1].append((slot, row))
    for path, (shard, wanted) in by_shard.items():
        rows: list[tuple[int, int]] = []
        slots: list[int] = []
        for slot, row in wanted:
            if rows and row == rows[-1][1] and slot == slots[-1] + (rows[-1][1] - rows[-1][0]):
                rows[-1] = (rows[-1][0], row + 1)
            else:
                rows.append((row, row + 1))
                slots.append(slot)
        yield path, shard.arrays[name].start, rows, slots


def _read_header(path: Path) -> tuple[_Shard, list[str]] | None:
    """The shard at `path` and its ids, or None where its checksum does not hold."""
    try:
        blob = path.read_bytes()
        (length,) = struct.unpack("<Q", blob[:8])
        header = json.loads(blob[8 : 8 + length])
        told = json.loads(header.pop("__metadata__")[ENTRY])
        ids: list[str] = json.loads(told["about"])
        arrays: dict[str, _Array] = {}
        values: dict[str, np.ndarray] = {}
        for name, entry in header.items():
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            dtype = _DTYPES[entry["dtype"]]
            arrays[name] = _Array(dtype, tuple(entry["shape"][1:]), first)
            values[name] = np.frombuffer(blob[first:last], dtype).reshape(entry["shape"])
        if checksum(values, told["about"]) != told["blake2b"]:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
    return _Shard(path, arrays), ids
