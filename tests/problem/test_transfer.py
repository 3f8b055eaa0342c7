"""Source and target as types: labels that were not given are not there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from headstart.errors import DataError, InternalError, OptionError
from headstart.problem import Sealed, Transfer, item_names, label_spaces, read_labelled, read_target, shared_classes

NAMES = ["cat", "dog"] * 10


def made(root: Path, *names: str) -> Path:
    """Return a folder of empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_transfer_has_no_field_for_the_target_s_labels() -> None:
    assert [field.name for field in dataclasses.fields(Transfer)] == ["source", "target", "few"]
    assert Transfer.__dataclass_fields__["target"].type == "Unlabelled"


def test_sealed_labels_come_out_few_or_late() -> None:
    sealed = Sealed(NAMES, per_class=3)
    rows, y = sealed.few(np.arange(12), np.arange(20), ["cat", "dog"], seed=0)
    assert len(rows) == 6 and (rows < 12).all() and [NAMES[i] for i in rows] == [["cat", "dog"][k] for k in y]
    assert np.array_equal(rows, sealed.few(np.arange(12), np.arange(20), ["cat", "dog"], seed=0)[0])
    assert sealed.opened(np.array([1, 0]), chosen="coral") == ("dog", "cat")
    with pytest.raises(InternalError, match="before anything was chosen"):
        sealed.opened(np.array([1]), chosen="")
    assert not [name for name in vars(sealed) if not name.startswith("_") and name != "per_class"]


def test_without_labels_even_the_names_of_classes_are_hidden() -> None:
    with pytest.raises(InternalError, match="no label of it may be used"):
        _ = Sealed(NAMES).classes


def test_copies_are_not_drawn_twice_and_too_few_are_named() -> None:
    groups = np.array([0, 1] * 10)  # all cats are one picture, all dogs another
    with pytest.raises(DataError, match=r"1 of the target's images .* are of cat; 2 asked"):
        Sealed(NAMES, per_class=2).few(np.arange(20), groups, ["cat", "dog"], seed=0)


def test_classes_are_shared_by_name_and_near_names_are_only_offered() -> None:
    assert shared_classes(["a", "b", "c"], ["c", "b", "z"]) == ("b", "c")
    assert label_spaces(["Guinea pig"], ["guinea_pig"]).near == (("Guinea pig", "guinea_pig"),)
    with pytest.raises(DataError, match="No class has the same name") as refused:
        shared_classes(["Cat", "Dog"], ["cat", "dog"])
    assert "--map Cat=cat" in refused.value.remedy


def test_a_target_is_read_flat_or_nested_in_the_same_order(tmp_path: Path) -> None:
    made(tmp_path, "a/2.png", "b/1.png", "a/3.png", "b/0.png")
    plain, none = read_target(tmp_path)
    labelled, sealed = read_target(tmp_path, oracle=True)
    assert none is None and sealed is not None
    assert plain.x.images == labelled.x.images
    assert sealed.opened(np.arange(4), chosen="x") == ("a", "a", "b", "b")


def test_a_flat_target_has_no_labels_to_give(tmp_path: Path) -> None:
    made(tmp_path, "0.png", "1.png")
    assert len(read_target(tmp_path)[0]) == 2
    with pytest.raises(DataError, match="no labels to be read"):
        read_target(tmp_path, per_class=1)
    with pytest.raises(OptionError, match="array without labels"):
        read_target(np.zeros((4, 8, 8), np.uint8), oracle=True)
    made(tmp_path, "a/2.png", "b/3.png")
    with pytest.raises(DataError, match="lie in no class folder"):
        read_target(tmp_path, oracle=True)


def test_arrays_are_a_target_too() -> None:
    images = np.zeros((4, 8, 8), np.uint8)
    assert len(read_target(images)[0]) == 4
    target, sealed = read_target((images, ["x", "y", "x", "y"]), per_class=1)
    assert sealed is not None and sealed.classes == ("x", "y") and len(target) == 4


def test_equal_file_names_name_one_item_unless_they_only_count(tmp_path: Path) -> None:
    emoji = [f"{side}/{name}" for side in "st" for name in ("x/1f600.png", "x/2600.png", "y/1f436-fe0f.png")]
    made(tmp_path, *emoji, "s/y/1f437.png", "t/y/other.png")
    source, (target, _) = read_labelled(tmp_path / "s"), read_target(tmp_path / "t")
    ours, theirs, shared = item_names(source.x, target.x, pairs="auto")
    assert shared == 3 and ours.count(None) == 1 and theirs.count(None) == 1
    assert set(filter(None, ours)) == set(filter(None, theirs))
    assert item_names(source.x, target.x, pairs="none")[2] == 0


def test_counters_name_nothing_by_themselves(tmp_path: Path) -> None:
    made(tmp_path, *(f"{side}/{k}/IMG_{n}{k}.png" for side in "st" for k in range(2) for n in range(3)))
    source, (target, _) = read_labelled(tmp_path / "s"), read_target(tmp_path / "t")
    assert item_names(source.x, target.x, pairs="auto")[2] == 0
    assert item_names(source.x, target.x, pairs="names")[2] == 6
