"""What is said of the data before anything is computed on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.problem import read_labelled
from headstart.runs.options import Reading
from headstart.runs.preparing import data_record, read


@pytest.mark.parametrize("together", [0, 20, 40])
def test_a_group_larger_than_a_part_is_named(together: int, digits_folder: Path, tmp_path: Path) -> None:
    images = sorted(digits_folder.glob("*/*.png"))
    rows = [
        f"{p.relative_to(tmp_path)},{p.parent.name},{'film' if i < together else p.stem}" for i, p in enumerate(images)
    ]
    table = tmp_path / "images.csv"
    table.write_text("\n".join(["path,label,group", *rows]))
    asked = Reading(data=str(table), backbones=(), seed=0, size=32, split=(0.6, 0.2, 0.2), device="cpu")
    prepared = read(read_labelled(table), asked, cache=tmp_path / "cache", progress=lambda *_: None)
    named = [note for note in data_record(prepared, seconds=0.0, seed=0).detail["notes"] if "one group" in note]
    assert len(named) == (together == 40)
    assert all(note.startswith("40 of 120 images") and "groups that were given" in note for note in named)
