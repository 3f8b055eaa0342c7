"""Rows of arrays by content id, kept on disk in append-only shards: pixels and features alike.

A store is a folder of shards. A shard is one safetensors file: arrays of equal length, one row an
image, and in its metadata the ids of the rows and the checksum of every array. A shard appears whole
or not at all; several processes may add to one store, the worst that happens is that a row stands
in it twice.

Opening a store reads headers alone. An array is checked when rows of it are first wanted, so that
what nobody reads costs nothing and nothing is served unchecked but what this process itself has just written.
"""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import InternalError, StorageError
from headstart.records.arrays import checksum, read_told, write_arrays

AGAIN = "Repeat the command; what is missing is computed anew."

_DTYPES: dict[str, np.dtype[Any]] = {"U8": np.dtype("u1"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


@dataclass(frozen=True)
class _Array:
    """Where the rows of one array stand in a shard's file, and the checksum of all of them."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    sum: str

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape[1:]

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.row_shape))


@dataclass(eq=False)
class _Shard:
    path: Path
    ids: tuple[str, ...]
    arrays: Mapping[str, _Array]
    checked: set[str] = field(default_factory=set)

    def whole(self, name: str) -> bool:
        """Whether the values of array `name` are those that were written; read once.

        Raises
        ------
        FileNotFoundError : the shard is gone.
        """
        if name in self.checked:
            self.path.stat()
            return True
        array = self.arrays[name]
        with self.path.open("rb") as file:
            file.seek(array.start)
            values = np.fromfile(file, array.dtype, int(np.prod(array.shape)))
        if values.size != np.prod(array.shape) or checksum(name, values.reshape(array.shape)) != array.sum:
            return False
        self.checked.add(name)
        return True


class RowStore:
    """Arrays of fixed row shape under content ids.

    Parameters
    ----------
    folder : where the shards lie; made when the first row is put.

    A shard that was cut off or altered fails a checksum when it is opened or first read: it is deleted,
    named in `damaged`, and its rows count as missing, so that whoever asks computes them anew.

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
        self._shards: dict[Path, _Shard] = {}
        self._where: dict[str, tuple[_Shard, int]] = {}
        for path in sorted(self.folder.glob("*.shard")):
            self._open(path)
        for path in list(self._shards)[:1]:
            # What is read counts as used, on file systems too that do not note when files are read.
            with suppress(OSError):
                os.utime(path)

    def _open(self, path: Path) -> None:
        try:
            shard = _read_header(path)
        except FileNotFoundError:
            return
        if shard is None:
            self.damaged.append(path)
            path.unlink(missing_ok=True)
            return
        self._shards[path] = shard
        self._find(shard)

    def _find(self, shard: _Shard) -> None:
        for row, key in enumerate(shard.ids):
            self._where.setdefault(key, (shard, row))

    def _check(self, shard: _Shard, names: Iterable[str]) -> bool:
        """Whether these arrays are whole; if not, forget the shard: what another holds of it is found there."""
        try:
            if all(shard.whole(name) for name in names):
                return True
            self.damaged.append(shard.path)
            shard.path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass  # another process removed it: its rows are missing, but nothing was damaged
        del self._shards[shard.path]
        self._where.clear()
        for other in self._shards.values():
            self._find(other)
        return False

    def __contains__(self, key: str) -> bool:
        return key in self._where

    def missing(self, ids: Sequence[str], names: Sequence[str] | None = None) -> list[str]:
        """The ids that have no whole row, each once, in order.

        Parameters
        ----------
        names : the arrays that are wanted, all by default; their checksums are compared where they were not yet.
        """
        wanted = dict.fromkeys(ids)
        unchecked = True
        while unchecked:  # what a lost shard held may be found in another, which is not checked yet
            shards = {id(place[0]): place[0] for key in wanted if (place := self._where.get(key))}.values()
            lost = [shard for shard in shards if not self._check(shard, shard.arrays if names is None else names)]
            unchecked = bool(lost)
        return [key for key in wanted if key not in self._where]

    def verify(self) -> None:
        """Compare every checksum; what does not hold is deleted and named in `damaged`."""
        for shard in list(self._shards.values()):
            self._check(shard, shard.arrays)

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
        path = self.folder / f"{uuid.uuid4().hex}.shard"
        write_arrays(path, contiguous, about=json.dumps(list(ids)))
        self._open(path)
        if path in self._shards:  # what this process wrote just now it need not read to believe
            self._shards[path].checked.update(contiguous)

    def read(self, name: str, ids: Sequence[str]) -> np.ndarray:
        """Rows of array `name` for `ids`, in that order, as one array (len(ids), *row shape).

        Raises
        ------
        KeyError : an id has no row.
        StorageError : a shard was removed or damaged since it was opened (`missing` says beforehand).
        """
        places = [self._where[key] for key in ids]
        if any(name not in shard.checked for shard, _ in places) and self.missing(ids, [name]):
            raise StorageError(f"A file in {self.folder} was removed or damaged while it was in use.", AGAIN)
        places = [self._where[key] for key in ids]
        sample = places[0][0].arrays[name]
        out = np.empty((len(ids), *sample.row_shape), sample.dtype)
        flat = out.reshape(len(ids), -1).view("u1") if len(ids) else out
        for path, start, rows, slots in _runs(places, name):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError as error:
                raise StorageError(f"{path} was removed while it was in use.", AGAIN) from error
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
        return sum(path.stat().st_size for path in self.folder.glob("*.shard"))


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


def _read_header(path: Path) -> _Shard | None:
    """The shard at `path`, or None where its header was altered or its end is missing."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size
            if length > size:
                return None
            header = json.loads(file.read(length))
        told = read_told(header.pop("__metadata__"))
        if told is None or told[1].keys() != header.keys():
            return None
        ids: list[str] = json.loads(told[0])
        arrays: dict[str, _Array] = {}
        for name, entry in header.items():
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            if last > size or entry["shape"][0] != len(ids):
                return None
            arrays[name] = _Array(_DTYPES[entry["dtype"]], tuple(entry["shape"]), first, told[1][name])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error):
        return None
    return _Shard(path, tuple(ids), arrays)
