"""Layouts read as they lie, and every wrong one refused with the path named."""

import os
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import DataError, MissingExtraError
from headstart.problem import labelled_arrays, read_labelled, read_unlabelled


def lay_out(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def shown(data) -> list[tuple[str, str]]:
    return [(data.x.label_of(i), data.task.classes[k]) for i, k in enumerate(data.y)]


def test_class_folders_are_read_at_any_depth_in_one_order(tmp_path):
    data = read_labelled(lay_out(tmp_path, "dog/b.png", "cat/z.png", "cat/deep/er/a.jpg", "dog/a.png"))
    assert shown(data) == [
        ("cat/deep/er/a.jpg", "cat"),
        ("cat/z.png", "cat"),
        ("dog/a.png", "dog"),
        ("dog/b.png", "dog"),
    ]
    assert (data.layout, data.parts, data.root, data.y.dtype) == ("folders", None, tmp_path, np.int64)


def test_hidden_files_and_systems_litter_are_passed_over(tmp_path):
    litter = [".git/x", "__MACOSX/cat/a.png", "cat/.a.png", "cat/Thumbs.db", "cat/desktop.ini", "cat/.DS_Store"]
    data = read_labelled(lay_out(tmp_path, "cat/a.png", "dog/a.png", *litter))
    assert shown(data) == [("cat/a.png", "cat"), ("dog/a.png", "dog")]


def test_other_files_in_class_folders_are_candidates_and_those_beside_are_noted(tmp_path):
    data = read_labelled(lay_out(tmp_path, "cat/a.png", "cat/notes.txt", "dog/a.png", "README.md"))
    assert ("cat/notes.txt", "cat") in shown(data)
    assert data.notes == ("Beside the class folders, and left out: README.md.",)


def test_split_folders(tmp_path):
    root = lay_out(tmp_path, "train/cat/1", "train/dog/2", "validation/cat/3", "Test/dog/4")
    data = read_labelled(root)
    assert data.layout == "split folders"
    assert dict(zip(map(data.x.label_of, range(4)), data.parts, strict=True)) == {
        "train/cat/1": "train", "train/dog/2": "train", "validation/cat/3": "val", "Test/dog/4": "test",
    }  # fmt: skip


def test_a_train_may_be_a_class(tmp_path):
    assert read_labelled(lay_out(tmp_path, "train/1", "bus/1")).task.classes == ("bus", "train")


def test_a_link_to_a_parent_neither_hangs_nor_pulls_in_neighbours(tmp_path):
    root = lay_out(tmp_path / "data", "cat/a.png", "dog/a.png")
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "self").symlink_to("self")
    (root / "cat" / "loop").symlink_to(root / "cat")
    elsewhere = lay_out(tmp_path / "elsewhere", "b.png")
    (root / "dog" / "more").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root / "dog")
    names = [name for name, _ in shown(read_labelled(root))]
    assert names == ["cat/a.png", "cat/self", "dog/a.png", "dog/more/b.png"]


@pytest.mark.parametrize(
    ("names", "fact"),
    [
        ([], "is empty"),
        (["a.png", "b.png"], "holds images but no class folders"),
        (["cat/a.png"], "only one class folder, cat"),
        (["train/cat/a", "test/cat/a"], "one and the same class, cat"),
        (["val/cat/a", "test/dog/a"], "no train folder"),
        (["train/cat/a", "test/dog/a", "extra/b"], "beside others (extra)"),
        (["train/a.png", "test/b.png"], "holds images but no class folders"),
    ],
)
def test_wrong_folders_are_refused(tmp_path, names, fact):
    with pytest.raises(DataError) as error:
        read_labelled(lay_out(tmp_path, *names))
    assert fact in error.value.fact and str(tmp_path) in error.value.fact and error.value.remedy


def test_empty_class_folders_are_refused_or_counted(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="not one file"):
        read_labelled(tmp_path)
    assert read_labelled(lay_out(tmp_path, "cat/a")).task.classes == ("cat", "dog")


def test_a_missing_path_is_named(tmp_path):
    for read in (read_labelled, read_unlabelled):
        with pytest.raises(DataError, match=r"There is no .*nowhere"):
            read(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_is_named(tmp_path):
    root = lay_out(tmp_path, "cat/a.png", "dog/a.png")
    (root / "cat").chmod(0)
    try:
        with pytest.raises(DataError, match=r"cat cannot be read: Permission denied"):
            read_labelled(root)
    finally:
        (root / "cat").chmod(0o700)


def test_a_refused_folder_is_named_for_root_too(tmp_path, monkeypatch):
    root = lay_out(tmp_path, "cat/a.png", "dog/a.png")
    scan = os.scandir

    def refusing(path):
        if Path(path).name == "cat":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"cat cannot be read: Permission denied"):
        read_labelled(root)


def test_names_that_are_no_utf8_can_be_printed(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    data = read_labelled(lay_out(tmp_path, f"{odd}/{odd}.png", "dog/a.png"))
    assert data.task.classes == ("caf\ufffd", "dog")
    data.x.label_of(0).encode()


def table(root: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    lay_out(root, "a.png", "in/b.png", "c.png")
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / name


def test_a_table_with_splits_and_groups(tmp_path):
    text = "\ufeffpath,Label ,split,group\nin/b.png,cat,train,\na.png,dog,valid,film\n\nc.png,cat,,film\n"
    data = read_labelled(table(tmp_path, text))
    assert shown(data) == [("c.png", "cat"), ("in/b.png", "cat"), ("a.png", "dog")]
    assert (data.parts, data.x.groups) == ((None, "train", "val"), ("film", None, "film"))
    assert data.layout == "table"


def test_a_parquet_table(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    path = table(tmp_path, "", "labels.parquet")
    pandas.DataFrame({"path": ["a.png", "c.png"], "label": [1, 0], "split": ["train", None]}).to_parquet(path)
    data = read_labelled(path)
    assert shown(data) == [("c.png", "0"), ("a.png", "1")] and data.parts == (None, "train")
    monkeypatch.setattr("importlib.import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(MissingExtraError, match=r"headstart\[parquet\]"):
        read_labelled(path)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "lacks the column path and label"),
        ("path;label\n", "lacks the column"),
        ("path,label\n", "has no rows"),
        ("path,label\na.png,cat\n,dog\nc.png\n", "has no path in row 2"),
        ("path,label\na.png,cat\nc.png\n", "has no label in row 2"),
        ("path,label\na.png,cat\nc.png,cat\n", "one and the same class, cat"),
        ("path,label,split\na.png,cat,dev\nc.png,dog,\n", "unknown split: dev"),
        ("path,label\nx,cat\ny,dog\nz,dog\nw,cat\na.png,cat\n", "names 4 of 5 files that do not exist"),
        (b"path,label\n\xff\xfe,cat\n", "not a CSV table in UTF-8"),
        (b'path,label\n"a.png"x,cat\n', "not a CSV table"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, fact):
    path = table(tmp_path, text)
    with pytest.raises(DataError) as error:
        read_labelled(path)
    assert fact in error.value.fact and error.value.remedy


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="neither a folder nor a table"):
        read_labelled(table(tmp_path, "hello", "labels.txt"))
    with pytest.raises(DataError, match="not a Parquet table"):
        read_labelled(table(tmp_path, "hello", "labels.parquet"))


def test_arrays():
    data = labelled_arrays(np.zeros((4, 5, 6, 3), np.uint8), [10, 2, 10, 2])
    assert data.task.classes == ("2", "10") and data.y.tolist() == [1, 0, 1, 0]
    assert data.x.label_of(3) == "image 3" and data.layout == "arrays"
    part = data.subset([3, 0])
    assert part.y.tolist() == [0, 1] and len(part.x) == len(part) == 2


@pytest.mark.parametrize(
    ("images", "y", "fact"),
    [
        (np.zeros((2, 3), np.uint8), [0, 1], "shape"),
        (np.zeros((2, 3, 3, 2), np.uint8), [0, 1], "shape"),
        (np.zeros((2, 3, 3)), [0, 1], "float64"),
        (np.zeros((2, 3, 3), np.uint8), [0, 1, 1], "2 images"),
        (np.zeros((2, 3, 3), np.uint8), [0.5, 1], "Labels have the type"),
        (np.zeros((2, 3, 3), np.uint8), [1, 1], "1 class"),
    ],
)
def test_wrong_arrays_are_refused(images, y, fact):
    with pytest.raises(DataError, match=fact):
        labelled_arrays(images, y)


def test_unlabelled_files_and_folders_each_once(tmp_path):
    root = lay_out(tmp_path, "in/b.png", "in/deep/a.png", "in/.hidden", "z.png")
    data = read_unlabelled([root / "z.png", root / "in", root / "in" / "b.png"])
    assert [path.name for path in data.x.images] == ["z.png", "b.png", "a.png"]
    assert read_unlabelled(str(root / "in")).x.label_of(1) == "deep/a.png"
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="no files"):
        read_unlabelled([root / "empty"])


def test_subset_of_files_keeps_labels_parts_and_groups_together(tmp_path):
    data = read_labelled(table(tmp_path, "path,label,split,group\na.png,x,train,g\nc.png,y,,h\nin/b.png,y,test,\n"))
    part = data.subset(np.array([2, 0]))
    assert shown(part) == [("in/b.png", "y"), ("a.png", "x")]
    assert (part.parts, part.x.groups) == (("test", "train"), (None, "g"))
