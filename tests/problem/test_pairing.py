from pathlib import Path

import numpy as np
import pytest

from headstart.errors import DataError, OptionError
from headstart.problem import Domain, together


def files(*names: str) -> Domain:
    return Domain("files", tuple(Path("x") / name for name in names))


EMOJI = ("1f48c.png", "1f493.png", "2764-fe0f.png", "1f9d1.png")


def test_equal_names_are_one_thing() -> None:
    found = together(files(*(f"google/{name}" for name in EMOJI)), files(*(f"twitter/{name}" for name in EMOJI)))
    assert found.groups is not None and found.groups[:4] == found.groups[4:] and len(set(found.groups)) == 4


@pytest.mark.parametrize(
    "names",
    [
        [f"{i:05d}.png" for i in range(9)],
        [f"IMG_{i:04d}.jpg" for i in range(9)],
    ],
)
def test_running_numbers_are_no_names(names: list[str]) -> None:
    assert together(files(*names), files(*names)).groups is None
    assert together(files(*names), files(*names), pairs="names").groups is not None


def test_a_name_that_comes_up_in_several_folders_stands_for_nothing() -> None:
    repeated = files(*(f"{k}/{i}a.png" for k in "abc" for i in range(3)))
    assert together(repeated, repeated, pairs="names").groups is None
    both = together(files("a/1f48c.png", "b/1f48c.png", "a/1f493.png"), files("1f48c.png", "1F493.jpg"))
    assert both.groups == (None, None, "name 1f493", None, "name 1f493")


def test_few_equal_names_are_chance() -> None:
    assert together(files("1f1.png", "1f2.png", "1f3.png"), files("1f1.png", "1f4.png", "1f5.png")).groups is None


def test_groups_of_tables_hold_in_both() -> None:
    one = Domain("one", (Path("a.png"), Path("b.png")), ("film", None))
    other = Domain("other", (Path("b.png"),), ("film",))
    assert together(one, other, pairs="none").groups == ("film", None, "film")


def test_arrays_of_other_sizes_stand_together_and_files_do_not_mix_with_them() -> None:
    small, large = np.zeros((2, 8, 8), np.uint8), np.ones((3, 28, 28), np.uint8)
    found = together(Domain("s", small), Domain("l", large)).images
    assert isinstance(found, np.ndarray) and [image.shape for image in found] == [(8, 8)] * 2 + [(28, 28)] * 3
    assert together(Domain("s", small), Domain("s", small)).images.shape == (4, 8, 8)  # type: ignore[union-attr]
    with pytest.raises(DataError):
        together(Domain("s", small), files("a.png"))
    with pytest.raises(OptionError):
        together(files("a.png"), files("a.png"), pairs="perhaps")
