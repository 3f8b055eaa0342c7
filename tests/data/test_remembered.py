"""A file that has not changed is not opened again; one that may have changed is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import Survey, decode, look, survey
from headstart.data import remembered as remembering
from headstart.data.remembered import GRAIN, Remembered, stamp_of
from headstart.errors import StorageError
from headstart.problem import Domain


def picture(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype="u1")).save(path, format="BMP")


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """Six pictures of equal size on disk, looked at when the grain of the clock has passed."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        picture(folder / f"{i}.bmp", i)
    monkeypatch.setattr(look, "time", Later)
    return Domain("images", tuple(sorted(folder.iterdir())), root=folder)


class Later:
    """A clock that is an hour ahead."""

    @staticmethod
    def time_ns() -> int:
        return time.time_ns() + 3600 * 10**9


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were opened."""
    names: list[str] = []

    def read_bytes(path: Path, **more: int) -> bytes:
        names.append(path.name)
        return decode.read_bytes(path, **more)

    monkeypatch.setattr(look, "read_bytes", read_bytes)
    return names


def again(domain: Domain, tmp_path: Path) -> Survey:
    return survey(domain, 24, cache=tmp_path / "cache")


def test_an_unchanged_file_is_not_opened(domain: Domain, tmp_path: Path, opened: list[str]) -> None:
    first = again(domain, tmp_path)
    assert sorted(opened) == [f"{i}.bmp" for i in range(6)]
    opened.clear()
    second = again(domain, tmp_path)
    assert opened == [] and second.ids == first.ids
    np.testing.assert_array_equal(second.pixels(range(6)), first.pixels(range(6)))
    for name in ("sizes", "hashes", "thumbs", "digests"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("change", ["rewritten", "rewritten under the old time", "replaced", "another mode"])
def test_a_file_that_may_have_changed_is_opened(domain: Domain, tmp_path: Path, opened: list[str], change: str) -> None:
    first = again(domain, tmp_path)
    opened.clear()
    path, before = domain.images[2], domain.images[2].stat()
    if change == "another mode":
        path.chmod(0o600)
    elif change == "replaced":
        picture(tmp_path / "new.bmp", 99)
        (tmp_path / "new.bmp").replace(path)
    else:
        picture(path, 99)
    if change.endswith("old time"):
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    second = again(domain, tmp_path)
    assert opened == ["2.bmp"]
    assert (second.ids[2] == first.ids[2]) == (change == "another mode")
    assert second.ids[:2] + second.ids[3:] == first.ids[:2] + first.ids[3:]


def test_a_file_touched_within_the_clocks_grain_is_read_again(
    domain: Domain, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = stamp_of(domain.images[3])
    assert touched is not None
    monkeypatch.setattr(Later, "time_ns", staticmethod(lambda: max(touched[2:]) + GRAIN))
    again(domain, tmp_path)
    opened.clear()
    again(domain, tmp_path)
    assert "3.bmp" in opened


def test_a_broken_file_is_read_each_time(domain: Domain, tmp_path: Path, opened: list[str]) -> None:
    domain.images[1].write_bytes(b"no picture")
    assert [i for i, _ in again(domain, tmp_path).broken] == [1]
    opened.clear()
    assert [i for i, _ in again(domain, tmp_path).broken] == [1] and opened == ["1.bmp"]


def test_a_damaged_memory_is_no_memory(domain: Domain, tmp_path: Path, opened: list[str]) -> None:
    first = again(domain, tmp_path)
    (path,) = (tmp_path / "cache" / "hashes").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    opened.clear()
    assert again(domain, tmp_path).ids == first.ids and len(opened) == 6


def test_only_the_lost_rows_are_read_again(domain: Domain, tmp_path: Path, opened: list[str]) -> None:
    first = again(domain, tmp_path)
    expected = first.pixels(range(6))
    (shard,) = first.store.folder.iterdir()
    shard.write_bytes(shard.read_bytes().replace(expected[4].tobytes(), bytes(expected[4].size)))
    opened.clear()
    second = again(domain, tmp_path)
    assert opened == [], "what was wanted so far is whole"
    np.testing.assert_array_equal(second.pixels([4, 1, 4]), expected[[4, 1, 4]])
    assert sorted(opened) == ["1.bmp", "4.bmp"] and second.store.damaged == [shard]


def test_lost_pixels_of_a_changed_image_are_an_error(domain: Domain, tmp_path: Path) -> None:
    found = again(domain, tmp_path)
    for shard in found.store.folder.iterdir():
        shard.unlink()
    picture(domain.images[0], 99)
    with pytest.raises(StorageError, match=r"0\.bmp"):
        found.pixels([0])


def test_inodes_of_64_bits_and_times_of_whole_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Domain("one", (tmp_path / "a",), root=tmp_path)
    real = os.stat

    class Status:
        def __init__(self, ctime: int) -> None:
            self.st_size, self.st_ino, self.st_mtime_ns, self.st_ctime_ns = 5, 2**64 - 3, 10**9, ctime

    for ctime, kept in ((3 * 10**9 + 1, "ab" * 16), (3 * 10**9, "")):
        monkeypatch.setattr(os, "stat", lambda path, **_: Status(ctime) if str(path).endswith("/a") else real(path))  # noqa: B023
        memory = Remembered(tmp_path / str(ctime), domain)
        memory.put(tmp_path / "a", stamp_of(tmp_path / "a"), "ab" * 16, now=10**12)
        memory.write()
        assert Remembered(tmp_path / str(ctime), domain).get(tmp_path / "a") == kept


def test_two_folders_do_not_share_a_memory(domain: Domain, tmp_path: Path) -> None:
    other = Domain("other", domain.images, root=tmp_path)
    assert Remembered(tmp_path, domain).path != Remembered(tmp_path, other).path
    assert remembering.read_remembered(tmp_path / "nothing") == {}
