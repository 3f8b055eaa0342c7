"""Arrays come back as they were, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.records.arrays import read_arrays, write_arrays

ARRAYS = {
    "weight": np.arange(12, dtype="f4").reshape(3, 4)[:, ::2],
    "tracked": np.array(7, dtype="i8"),
    "none": np.zeros((0, 3), dtype="f4"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of three arrays."""
    path = tmp_path / "a.safetensors"
    write_arrays(path, ARRAYS, about="some")
    return path


def test_round_trip(path: Path) -> None:
    found = read_arrays(path)
    assert found is not None
    arrays, about = found
    assert about == "some" and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)


def test_the_same_arrays_are_the_same_bytes(path: Path) -> None:
    whole = path.read_bytes()
    for _ in range(20):
        write_arrays(path, ARRAYS, about="some")
        assert path.read_bytes() == whole


def test_every_flipped_byte_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        found = read_arrays(path)
        if found is not None:  # blanks that pad the header carry nothing
            assert whole[at : at + 1] == b" ", at


def test_every_shorter_file_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_arrays(path) is None, length
    path.unlink()
    assert read_arrays(path) is None
