"""What `headstart compare` prints, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headstart.cli.main import app

QUICK = ("--backbone", "random/test_resnet", "--size", "32")
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def halves(digits_folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return two folders of digits, other images in each, and only four of the classes in both."""
    for path in sorted(digits_folder.rglob("*.png"))[::2]:
        place = tmp_path / "other" / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    shutil.rmtree(tmp_path / "other" / "4")
    return digits_folder, tmp_path / "other"


def test_a_card_as_sentences_and_as_one_document(headstart: Command, halves: tuple[Path, Path], tmp_path: Path) -> None:
    told = headstart("compare", *halves, "--out", tmp_path / "run", *QUICK)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Label-space shift: heterogeneous inductive transfer.")
    assert "50 % is chance" in told.stdout and "to the 4 shared classes" in told.stdout and "\x1b" not in told.stdout
    words = ["compare", *map(str, halves), "--out", str(tmp_path / "run"), *QUICK, "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["labels"]["relation"] == "partial" and found["labels"]["source_only"] == ["4"]
    assert found["marginal"]["low"] <= found["marginal"]["value"] <= found["marginal"]["high"]
    assert Path(found["folder"], "report.html").is_file()
    again = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    assert again.exit_code == 0 and "report.html" in again.stdout


@pytest.fixture
def refused() -> Callable[..., str]:
    """Return a function that runs a command, expects its refusal in one sentence with a remedy, and gives it."""

    def call(*words: object) -> str:
        done = CliRunner().invoke(app, ["compare", *map(str, words)])
        assert done.exit_code == 2, done.output
        assert "Traceback" not in done.output and done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 2, done.stderr
        return done.stderr

    return call


def test_a_users_mistakes(refused: Callable[..., str], halves: tuple[Path, Path], tmp_path: Path) -> None:
    source, target = halves
    (tmp_path / "vacant").mkdir()
    assert "vacant" in refused(source, tmp_path / "vacant", *QUICK)
    assert "nowhere" in refused(tmp_path / "nowhere", target, "--out", tmp_path / "run", *QUICK)
    assert not (tmp_path / "run").exists()
    assert "the same" in refused(source, source, *QUICK)
    assert "lies inside" in refused(source, source / "1", *QUICK)
    (tmp_path / "single").mkdir()
    shutil.copy(next((source / "0").iterdir()), tmp_path / "single" / "one.png")
    assert "1 usable image." in refused(source, tmp_path / "single", *QUICK)
    assert "lies inside the folder of images" in refused(source, target, "--out", source / "run", *QUICK)


@pytest.mark.parametrize(
    "words",
    [
        ("--tolerance", "50"),
        ("--pairs", "perhaps"),
        ("--map", "Cats"),
        ("--map", "0=cat"),
        ("--backbone", "packaged/*"),
        ("--backbone", "nothing"),
        ("--size", "8"),
        ("--seed", "-1"),
    ],
)
def test_a_value_that_an_option_cannot_have(
    refused: Callable[..., str], halves: tuple[Path, Path], words: tuple[str, str], tmp_path: Path
) -> None:
    refused(*halves, "--size", "32", *words, "--out", tmp_path / "run")
