"""A table with a column a task is read as it lies, and every wrong one is refused with the file named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from headstart.errors import DataError, HeadstartError, OptionError
from headstart.problem import Tasks, read_tasks

ROWS = ["b.png,7,odd,,one", "a.png,4,even,train,", "c.png,,odd,test,one", "d.png,7,,val,", "e.png,,,,"]


def table(root: Path, rows: Sequence[str] = ROWS, header: str = "path,Digit, even,split,group") -> Path:
    for name in "abcde":
        (root / f"{name}.png").touch()
    (root / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    return root / "t.csv"


def read(root: Path, *labels: str, **options: object) -> Tasks:
    return read_tasks(table(root, **options), labels)  # type: ignore[arg-type]


def test_cells_that_are_empty_are_no_labels_and_rows_without_any_are_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, "digit", "EVEN")
    assert [found.x.label_of(i) for i in range(len(found))] == ["a.png", "b.png", "c.png", "d.png"]
    assert found.names == ("digit", "even")
    assert [space.classes for space in found.spaces] == [("4", "7"), ("even", "odd")]
    assert found.y.tolist() == [[0, 0], [1, 1], [-1, 1], [1, -1]]
    assert found.parts == ("train", None, "test", "val") and found.x.groups == (None, "one", "one", None)
    assert found.notes == ("1 row without any label was left out.",)


def test_the_order_of_columns_is_that_of_the_question_and_of_rows_none(tmp_path: Path) -> None:
    one, other = read(tmp_path, "digit", "even"), read(tmp_path, "even", "digit", rows=ROWS[::-1])
    assert one.y.tolist() == other.y[:, ::-1].tolist()


@pytest.mark.parametrize(
    ("labels", "options", "kind", "said"),
    [
        (["digit"], {}, OptionError, "headstart fit"),
        ([], {}, OptionError, "no task"),
        (["digit", "even", "Digit"], {}, OptionError, "digit of .*t.csv is named twice"),
        (["digit", "colour"], {}, DataError, "no column of labels named colour; it has digit, even"),
        (["digit", "group"], {}, DataError, "named group"),
        (["digit", "even"], {"rows": ["a.png,1,x,,", "b.png,1,y,,"]}, DataError, "digit of .* holds one class, 1"),
        (["digit", "even"], {"rows": ["a.png,,x,,", "b.png,,y,,"]}, DataError, "digit of .* holds no label"),
        (["digit", "even"], {"rows": []}, DataError, "has no images"),
        (["digit", "even"], {"header": "file,digit,even,split,group"}, DataError, "has no images"),
        (["digit", "even"], {"rows": [*ROWS, "z.png,1,odd,,"]}, DataError, "z.png"),
        (["digit", "even"], {"rows": [*ROWS, ",1,odd,,"]}, DataError, "no path in row 6"),
        (["digit", "even"], {"rows": [*ROWS, "a.png,1,odd,tset,"]}, DataError, "tset"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, labels: list[str], options: dict[str, object], kind: type[HeadstartError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        read(tmp_path, *labels, **options)
    assert caught.value.remedy


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_tasks(tmp_path, ["a", "b"])
    with pytest.raises(DataError, match="no table at"):
        read_tasks(tmp_path / "nowhere.csv", ["a", "b"])
