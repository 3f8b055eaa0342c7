"""What is kept between runs: how much, and what goes first."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data import RowStore, survey
from headstart.data.remembered import read_remembered, write_remembered
from headstart.errors import OptionError, StorageError
from headstart.problem import Domain
from headstart.records.arrays import write_arrays
from headstart.runs.caching import entries, keep_within_limit, prune, verify
from headstart.runs.options import parse_bytes


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


def test_a_run_keeps_the_cache_within_its_limit(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_within_limit(cache) == []
    monkeypatch.setenv("HEADSTART_CACHE_LIMIT", "500")
    os.utime(cache / "features" / "b" / "0.safetensors")
    assert [e.name for e in keep_within_limit(cache)] == ["c"], "b was used today"
    monkeypatch.setenv("HEADSTART_CACHE_LIMIT", "little")
    with pytest.raises(OptionError, match="little"):
        keep_within_limit(cache)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Return a cache of two stores, and of three images that are held to be unchanged."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((9, 9), i, np.uint8)).save(folder / f"{i}.bmp")
        os.utime(folder / f"{i}.bmp", (1000, 1000))
    cache = tmp_path / "cache"
    found = survey(Domain("images", tuple(sorted(folder.iterdir())), root=folder), 16, cache=cache)
    memory = cache / "hashes" / "0.safetensors"
    stamps = {path: path.stat() for path in folder.iterdir()}
    known = {
        str(path): ((s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns), found.ids[int(path.stem)])
        for path, s in stamps.items()
    }
    write_remembered(memory, known)
    RowStore(cache / "features" / "net").put(["a", "b"], {"top": np.eye(2, dtype="f4")})
    return cache


def test_a_whole_cache_is_found_whole(used: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    found = verify(used, progress=lambda *report: seen.append(report))
    assert (found.entries, found.damaged, found.changed) == (3, (), ())
    assert seen[-1] == ("verifying the cache", 3, 3)


@pytest.mark.parametrize("room", ["pixels", "features", "hashes"])
def test_damage_is_named_and_removed(used: Path, room: str) -> None:
    path = next(p for p in (used / room).rglob("*") if p.is_file())
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert verify(used).damaged == (path,) and not path.exists()
    assert verify(used).damaged == ()


def test_what_another_process_is_writing_is_left_alone(used: Path) -> None:
    for room in ("hashes", "engines"):
        (used / room).mkdir(exist_ok=True)
        (used / room / ".0.safetensors.77.part").write_bytes(b"half")
    assert verify(used).damaged == ()
    prune(used)
    assert len(list(used.rglob("*.part"))) == 2


def test_compiled_networks_are_verified_too(used: Path) -> None:
    path = used / "engines" / "net.safetensors"
    write_arrays(path, {"f32": np.arange(9)})
    assert verify(used).damaged == ()
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(used).damaged == (path,) and not path.exists()


def test_when_every_image_changed_nothing_is_remembered(used: Path) -> None:
    memory = used / "hashes" / "0.safetensors"
    known = read_remembered(memory)
    write_remembered(memory, {name: (stamp, "00" * 16) for name, (stamp, _) in known.items()})
    assert len(verify(used).changed) == 3 and read_remembered(memory) == {}


def test_an_image_that_changed_unnoticed_is_named_and_forgotten(used: Path) -> None:
    memory = used / "hashes" / "0.safetensors"
    known = read_remembered(memory)
    name = next(iter(known))
    write_remembered(memory, known | {name: (known[name][0], "00" * 16)})
    assert verify(used).changed == (name,)
    assert read_remembered(memory).keys() == known.keys() - {name} and verify(used).changed == ()


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
