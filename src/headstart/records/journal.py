"""An append-only file of records that survives being killed at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from headstart.errors import RunError
from headstart.records.files import storage_errors
from headstart.records.record import Record


class Journal:
    """The records of one run, in the order in which they were measured.

    A line counts only when its newline is on the disk: what a kill left of a torn last line is
    cut off before the next append.

    Examples
    --------
    >>> import tempfile
    >>> journal = Journal(Path(tempfile.mkdtemp()) / "records.jsonl")
    >>> journal.append(Record("data", "data", metrics={"images": 3}))
    >>> Journal(journal.path).get("data").metrics
    {'images': 3}
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._records: dict[str, Record] = {}
        self._end = 0
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        whole, _, _ = self.path.read_bytes().rpartition(b"\n")
        self._end = len(whole) + 1 if whole else 0
        for number, line in enumerate(whole.decode("utf-8", "replace").split("\n") if whole else (), 1):
            try:
                record = Record.from_json(line)
            except (json.JSONDecodeError, TypeError) as error:
                fact = f"{self.path}, line {number}, is not a record."
                raise RunError(fact, "Restore the file, or start the run anew in another folder.") from error
            self._records[record.key] = record

    def append(self, record: Record) -> None:
        """Write one record and wait until it is on the disk."""
        line = record.to_json().encode() + b"\n"
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                os.ftruncate(descriptor, self._end)
                if os.pwrite(descriptor, line, self._end) != len(line):
                    raise OSError(28, "short write")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._end += len(line)
        self._records[record.key] = record

    def get(self, key: str) -> Record | None:
        """The record under `key`, or None where that unit of work is not finished."""
        return self._records.get(key)

    def of(self, what: str) -> list[Record]:
        """All records of one kind, in order."""
        return [record for record in self if record.what == what]

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)
