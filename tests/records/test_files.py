"""A file is whole under its name, or it is not there."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from headstart.errors import StorageError
from headstart.records import writing


def test_the_name_appears_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with writing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), writing(path) as temporary:
        temporary.write_text("after")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EROFS, "No permission")],
)
def test_refusals_of_the_system_name_the_file(tmp_path: Path, code: int, said: str) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(StorageError, match=said) as raised, writing(path):
        raise OSError(code, "refused")
    assert str(path) in raised.value.fact and raised.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"), writing(tmp_path / "file" / "a.txt"):
        pytest.fail("nothing can be written there")


def test_what_is_not_about_storage_passes(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="strange") as raised, writing(tmp_path / "a.txt"):
        raise OSError(errno.EBADF, "strange")
    assert not isinstance(raised.value, StorageError)
