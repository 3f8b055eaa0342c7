"""Records survive being killed at any byte."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest

from headstart.errors import RunError, StorageError
from headstart.records import Journal, Record

FIRST = Record("plan", "plan", detail={"budget_s": 3.0}, cost={"seconds": 0.25})
SECOND = Record("probe/r/top", "probe", metrics={"value": 0.5, "low": None}, seed=3, backbone="r")
THIRD = Record("test", "test", part="test", detail={"path": "Größe \udcff.png"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of three records."""
    path = tmp_path / "run" / "records.jsonl"
    journal = Journal(path)
    for record in (FIRST, SECOND, THIRD):
        journal.append(record)
    return path


def test_read_back_typed_and_in_order(path: Path) -> None:
    journal = Journal(path)
    assert list(journal) == [FIRST, SECOND, THIRD] and len(journal) == 3
    assert journal.get("test") == THIRD and journal.get("none") is None
    assert journal.of("probe") == [SECOND]
    assert path.read_bytes().isascii()


def test_cut_off_at_every_byte_whole_lines_count_and_appending_goes_on(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(whole[:length])
        journal = Journal(torn)
        kept = [FIRST, SECOND, THIRD][: whole[:length].count(b"\n")]
        assert list(journal) == kept
        journal.append(Record("next", "next"))
        assert list(Journal(torn)) == [*kept, Record("next", "next")]


def test_a_line_that_is_no_record_is_named(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + "not a record\n" + lines[2])
    with pytest.raises(RunError, match=r"records\.jsonl, line 2"):
        Journal(path)


def test_a_later_version_may_add_fields(path: Path) -> None:
    path.write_text('{"key": "a", "what": "b", "colour": "red"}\n')
    assert list(Journal(path)) == [Record("a", "b")]


def test_what_could_not_be_measured_is_null() -> None:
    line = Record("a", "b", metrics={"value": math.nan, "all": [1.0, math.inf]}).to_json()
    assert Record.from_json(line).metrics == {"value": None, "all": [1.0, None]}


def test_a_full_disk_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    real = os.pwrite

    def full(descriptor: int, data: bytes, at: int) -> int:
        real(descriptor, data[:5], at)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="disk is full"):
        journal.append(Record("lost", "lost"))
    monkeypatch.setattr(os, "pwrite", real)
    assert list(Journal(path)) == [FIRST, SECOND, THIRD] == list(journal)
    journal.append(Record("next", "next"))
    assert [record.key for record in Journal(path)] == ["plan", "probe/r/top", "test", "next"]


def test_a_short_write_is_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 1)
    journal = Journal(path)
    with pytest.raises(StorageError, match="disk is full"):
        journal.append(Record("lost", "lost"))
    assert journal.get("lost") is None


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        Journal(tmp_path / "file" / "records.jsonl").append(FIRST)
