"""What is kept between runs: how much, and what goes first."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from headstart.errors import OptionError, StorageError
from headstart.runs.caching import entries, parse_bytes, prune


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache of three entries, used in the order b (oldest), c, a, of 100, 200 and 300 bytes."""
    for room, name, size, used in (
        ("pixels", "a", 300, 3000),
        ("features", "b", 100, 1000),
        ("engines", "c", 200, 2000),
    ):
        folder = tmp_path / room / name
        folder.mkdir(parents=True)
        for i in range(2):
            (folder / f"{i}.safetensors").write_bytes(b"x" * (size // 2))
            os.utime(folder / f"{i}.safetensors", (used, used - i))
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "0.png").write_bytes(b"x")
    return tmp_path


def test_the_least_recently_used_comes_first(cache: Path) -> None:
    assert [(e.room, e.name, e.bytes, e.used) for e in entries(cache)] == [
        ("features", "b", 100, 1000),
        ("engines", "c", 200, 2000),
        ("pixels", "a", 300, 3000),
    ]


def test_reading_counts_as_use(cache: Path) -> None:
    os.utime(cache / "features" / "b" / "0.safetensors", (9000, 1000))
    assert [e.name for e in entries(cache)] == ["c", "a", "b"]


def test_a_single_file_is_an_entry(cache: Path) -> None:
    (cache / "engines" / "d.blob").write_bytes(b"12345")
    assert [(e.name, e.bytes) for e in entries(cache)][-1] == ("d.blob", 5)


@pytest.mark.parametrize(
    ("to", "left"), [(600, "abc"), (599, "ac"), (500, "ac"), (499, "a"), (300, "a"), (299, ""), (0, "")]
)
def test_pruning_stops_at_the_size(cache: Path, to: int, left: str) -> None:
    removed = prune(cache, to=to)
    assert sorted(e.name for e in entries(cache)) == list(left)
    assert sorted(e.name for e in removed) == sorted(set("abc") - set(left))
    assert sum(e.bytes for e in entries(cache)) <= to
    assert (cache / "digits" / "0.png").exists()


def test_an_empty_cache(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not there"):
        assert entries(folder) == [] == prune(folder)


def test_no_permission_to_prune(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rmtree(path: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(StorageError, match="No permission"):
        prune(cache)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("12", 12), ("1K", 1000), ("500M", 500_000_000), ("1.5GB", 1_500_000_000), (" 2 tb ", 2 * 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1 GB more", "1PB", "1e9", "GB", "1,5GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_bytes(text)
    assert repr(text) in caught.value.fact
    assert "1GB" in caught.value.remedy
