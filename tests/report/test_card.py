"""The model card says what was measured, and no name in it becomes markup."""

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.errors import RunError
from headstart.report import model_card

Make = Callable[..., Path]


def test_the_card_of_a_finished_run(make_run: Make) -> None:
    card = model_card(make_run())
    for heading in ("# Model card", "## Classes (10)", "## How it was trained", "## Test", "## Data", "## Limits"):
        assert f"{heading}\n" in card
    assert "> Freeze the backbone" in card
    assert "| **accuracy** (95 % interval) | **92.7 % (90.2–95.2)** |" in card
    assert "- Least recalled class: primrose, 90.0 % of 30 images." in card
    assert "headstart predict" in card
    assert "licence" in card
    assert "not finished" not in card


def test_the_card_of_an_unfinished_run_says_so(make_run: Make) -> None:
    card = model_card(make_run(until="candidate"))
    assert "**This run is not finished.**" in card
    assert "## Test" not in card


def test_names_do_not_become_markup(make_run: Make) -> None:
    card = model_card(make_run(classes=["<script>x</script>", "a | b", "*c*\n# d", "[l](http://e)", "`"]))
    assert "<script>" not in card
    assert r"a \| b" in card
    assert "\n# d" not in card
    assert r"\[l\](http://e)" in card
    rows = [line for line in card.splitlines() if line.startswith("| ") and line.count("%") == 2 and "**" not in line]
    assert rows
    assert all(line.replace(r"\|", "").count("|") == 5 for line in rows)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        model_card(tmp_path)
