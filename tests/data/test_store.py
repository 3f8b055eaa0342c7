"""Rows come back as they were put, and a damaged shard costs only its own rows."""

import json
from pathlib import Path

import numpy as np
import pytest

from headstart.data.store import RowStore
from headstart.errors import StorageError
from headstart.records.arrays import read_arrays


def rows(n: int, start: int = 0) -> dict[str, np.ndarray]:
    numbers = np.arange(start, start + n)
    return {
        "z": np.stack([numbers, numbers**2], 1).astype("f4"),
        "pixels": np.repeat(numbers.astype("u1"), 12).reshape(n, 2, 2, 3),
        "facts": numbers.astype("i8")[:, None],
    }


@pytest.fixture
def store(tmp_path) -> RowStore:
    store = RowStore(tmp_path / "store")
    store.put(list("abcd"), rows(4))
    store.put(list("efg"), rows(3, 4))
    return store


def shard_of(store: RowStore, key: str):
    def ids(path: Path) -> list[str]:
        found = read_arrays(path)
        assert found is not None
        return json.loads(found[1])

    return next(path for path in store.folder.glob("*.shard") if key in ids(path))


def test_rows_come_back_in_the_order_asked_for(store):
    for opened in (store, RowStore(store.folder)):
        keys = list("gacbbfdea")
        numbers = np.array(["abcdefg".index(key) for key in keys])
        assert np.array_equal(opened.read("z", keys), np.stack([numbers, numbers**2], 1).astype("f4"))
        assert opened.read("pixels", keys)[:, 1, 1, 2].tolist() == numbers.tolist()
        assert opened.read("facts", keys).dtype == np.int64


def test_every_order_of_a_random_walk_is_right(store):
    rng = np.random.default_rng(0)
    for _ in range(50):
        numbers = rng.integers(0, 7, rng.integers(1, 12))
        assert store.read("facts", ["abcdefg"[i] for i in numbers])[:, 0].tolist() == numbers.tolist()


def test_missing_names_each_once_in_order(store):
    assert store.missing(["y", "a", "x", "y", "g"]) == ["y", "x"]
    assert "a" in store and "x" not in store
    with pytest.raises(KeyError):
        store.read("z", ["a", "x"])


def test_a_row_that_stands_twice_is_read_once(store):
    store.put(["a", "h"], rows(2, 50))
    assert store.read("facts", ["a", "h"])[:, 0].tolist() == [0, 51]


def test_two_processes_add_to_one_store(store):
    other = RowStore(store.folder)
    other.put(["h"], rows(1, 7))
    store.put(["i"], rows(1, 8))
    assert RowStore(store.folder).missing(list("abcdefghi")) == []


@pytest.mark.parametrize("damage", ["cut", "flip a byte", "flip an id", "empty", "nonsense"])
def test_a_damaged_shard_is_deleted_named_and_missing(store, damage):
    path = shard_of(store, "b")
    blob = bytearray(path.read_bytes())
    if damage == "cut":
        blob = blob[:-5]
    elif damage == "flip a byte":
        blob[-3] ^= 1
    elif damage == "flip an id":
        blob[blob.index(b'"b\\') + 1] ^= 1
    else:
        blob = bytearray(b"" if damage == "empty" else b"no header at all, only text")
    path.write_bytes(blob)
    opened = RowStore(store.folder)
    assert opened.missing(list("abcdefg")) == list("abcd")
    assert opened.damaged == [path] and not path.exists()
    assert opened.read("facts", ["f"]).tolist() == [[5]]
    opened.put(list("abcd"), rows(4))
    assert np.array_equal(RowStore(store.folder).read("z", list("abcd")), rows(4)["z"])


def test_every_flipped_byte_is_noticed_and_no_row_of_it_served(store):
    path = shard_of(store, "e")
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        opened = RowStore(store.folder)
        gone = opened.missing(list("efg"))
        if gone:
            assert gone == list("efg") and opened.damaged == [path] and not path.exists(), at
        else:
            assert whole[at : at + 1] == b" ", at  # blanks that pad the header carry nothing
            assert np.array_equal(opened.read("z", list("efg")), rows(3, 4)["z"])


def test_every_shorter_file_is_noticed(store):
    path = shard_of(store, "e")
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        assert RowStore(store.folder).missing(["e", "a"]) == ["e"], length


def test_only_what_is_wanted_is_checked(store):
    path = shard_of(store, "b")
    blob = bytearray(path.read_bytes())
    blob[blob.rindex(rows(4)["pixels"].tobytes())] ^= 1
    path.write_bytes(blob)
    opened = RowStore(store.folder)
    assert opened.missing(list("ab"), ["facts", "z"]) == []
    assert opened.read("facts", ["b"]).tolist() == [[1]]
    with pytest.raises(StorageError, match="damaged while it was in use"):
        opened.read("pixels", ["b"])
    assert opened.damaged == [path] and opened.missing(list("abe")) == ["a", "b"]


def test_what_another_shard_holds_too_survives_the_damage_of_one(store):
    store.put(["b", "h"], rows(2, 1))
    path = shard_of(store, "a")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    opened = RowStore(store.folder)
    assert opened.missing(list("abcdefgh")) == list("acd")
    assert opened.read("facts", ["b"]).tolist() == [[1]]


def test_what_is_found_again_in_another_shard_is_checked_too(store):
    store.put(list("abcd"), rows(4))
    spared = shard_of(store, "e")
    for path in store.folder.iterdir():
        if path != spared:
            whole = path.read_bytes()
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    opened = RowStore(store.folder)
    assert opened.missing(list("ae")) == ["a"] and len(opened.damaged) == 2


def test_what_may_not_be_read_is_not_damaged(store, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    opened = RowStore(store.folder)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        opened.missing(["a"])
    monkeypatch.undo()
    assert RowStore(store.folder).missing(list("abcdefg")) == []


def test_what_another_process_removed_is_missing_and_not_damaged(store):
    opened = RowStore(store.folder)
    shard_of(store, "a").unlink()
    assert opened.missing(list("ae")) == ["a"] and opened.damaged == []


def test_verify_finds_all_damage(store):
    path = shard_of(store, "e")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    opened = RowStore(store.folder)
    assert opened.damaged == []
    opened.verify()
    assert opened.damaged == [path] and opened.missing(list("aefg"), []) == list("efg")


def test_what_a_kill_left_behind_is_no_shard(store):
    torn = store.folder / ".0123.shard.99999.part"
    torn.write_bytes(shard_of(store, "a").read_bytes()[:100])
    opened = RowStore(store.folder)
    assert opened.damaged == [] and opened.missing(list("abcdefg")) == []


def test_a_failed_write_leaves_nothing(store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headstart.records.arrays.save_file", full)
    before = sorted(store.folder.iterdir())
    with pytest.raises(StorageError, match="disk is full"):
        store.put(["x"], rows(1))
    assert sorted(store.folder.iterdir()) == before and store.missing(["x"]) == ["x"]


def test_size_on_disk(store):
    assert store.bytes() == sum(path.stat().st_size for path in store.folder.iterdir()) > 0
