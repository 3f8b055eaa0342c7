"""One task made into two."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import DataError, OptionError
from headstart.problem.halves import Halves, halves_by_name, random_halves, read_halves

NAMES = ("cat", "dog", "car", "bus", "oak")


def test_random_halves_are_of_one_size_and_depend_on_the_seed_alone() -> None:
    one, again, other = (random_halves(9, seed=seed) for seed in (0, 0, 1))
    assert one == again != other
    assert len(one.a) == len(one.b) == 4 and not set(one.a) & set(one.b)


def test_halves_by_name_keep_together_what_is_named_alike() -> None:
    names = ("veh-car", "ani-cat", "veh-bus", "ani-dog")
    assert halves_by_name(names) == Halves((1, 3), (0, 2))


def test_a_table_says_which_half_each_class_is_in_and_leaves_others_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("class,half\ndog,A\ncat,A\nbus,B\ncar,B\n")
    assert read_halves(tmp_path / "t.csv", NAMES) == Halves((0, 1), (2, 3))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class,half\ncat,A\ncat,B\n", "line 3, names cat twice"),
        ("class,half\nfox,A\n", "line 2, has the class 'fox'"),
        ("class,half\ncat,C\n", "in the half 'C'"),
        ("name,side\ncat,A\n", "has the class ''"),
        ("class,half\ncat,A\ndog,B\n", "nothing to tell apart"),
        ("", "nothing to tell apart"),
    ],
)
def test_a_table_that_is_none_is_refused_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        read_halves(tmp_path / "t.csv", NAMES)


def test_a_missing_table_and_one_of_bytes_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gone\.csv cannot be read"):
        read_halves(tmp_path / "gone.csv", NAMES)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="no table of text"):
        read_halves(tmp_path / "b.csv", NAMES)
