from pathlib import Path

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.problem import Labelled, Unlabelled, read_either, unlabelled_arrays
from headstart.problem.features import feature_arrays


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_class_folders_have_labels_and_may_be_read_without(tmp_path: Path) -> None:
    root = lay(tmp_path, "cat/1.png", "dog/1.png")
    assert isinstance(read_either(root), Labelled)
    found = read_either(root, labels=False)
    assert isinstance(found, Unlabelled) and not hasattr(found, "y") and len(found) == 2


@pytest.mark.parametrize("names", [("1.png", "2.jpg"), ("all/1.png",), ("a/1.png", "b/1.png", "3.png")])
def test_other_folders_have_none(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = read_either(lay(tmp_path, *names, "notes.txt"))
    assert isinstance(found, Unlabelled) and len(found) == len(names)


def test_a_table_with_and_without_labels(tmp_path: Path) -> None:
    lay(tmp_path, "1.png", "2.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label,group\n1.png,a,x\n2.png,b,\n")
    assert isinstance(read_either(table), Labelled)
    table.write_text("path,group\n1.png,x\n2.png,\n")
    found = read_either(table)
    assert isinstance(found, Unlabelled) and found.x.groups == ("x", None)
    table.write_text("label\na\n")
    with pytest.raises(DataError, match="path"):
        read_either(table, labels=False)


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "vacant").mkdir()
    for path in (tmp_path / "vacant", tmp_path / "nowhere", lay(tmp_path / "text", "a.txt")):
        with pytest.raises(DataError, match=path.name):
            read_either(path)


def test_arrays() -> None:
    assert len(unlabelled_arrays(np.zeros((3, 8, 8), np.uint8))) == 3
    assert isinstance(feature_arrays(np.zeros((3, 2)), None), Unlabelled)
    for wrong in (np.zeros((3, 2), dtype=complex), np.full((3, 2), np.nan)):
        with pytest.raises(DataError):
            feature_arrays(wrong, None)
    with pytest.raises(DataError):
        feature_arrays(np.zeros((3, 2)), [1, 2])
