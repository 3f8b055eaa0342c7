"""`headstart pretrain`, and what other commands make of its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headstart.cli.main import app

QUICK = ("--architecture", "test_resnet", "--size", "32", "--epochs", "1")


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> tuple[Path, Result]:
    """Return a finished pretraining and what its command said."""
    folder = tmp_path_factory.mktemp("pretrain") / "run"
    return folder, invoke("pretrain", _digits, "--by", "rotation", "--out", folder, "--probe", _digits, *QUICK)


def test_people_are_told_what_was_learned(made: tuple[Path, Result]) -> None:
    folder, done = made
    assert done.exit_code == 0, done.output
    for told in ("all cuts", "Of the surrogate’s questions", f"As a backbone: run:{folder}", "The page:"):
        assert told in done.output


def test_programs_get_one_document(made: tuple[Path, Result], _digits: Path) -> None:
    folder, _ = made
    done = invoke("pretrain", _digits, "--by", "rotation", "--out", folder, "--probe", _digits, *QUICK, "--json")
    found = json.loads(done.stdout)
    assert found["backbone"] == f"run:{folder}" and len(found["epochs"]) == 2
    assert found["probe"]["cuts"]["all cuts"]["after"]["value"] == found["probe"]["value"]


def test_its_folder_is_a_backbone_and_names_no_classes(made: tuple[Path, Result], _digits: Path) -> None:
    folder, _ = made
    ranked = invoke("rank", _digits, "--backbone", f"run:{folder}", "--backbone", "random/test_resnet", "--size", "32")
    assert ranked.exit_code == 0 and f"run:{folder}" in ranked.output
    refused = invoke("predict", folder, next(_digits.rglob("*.png")))
    assert refused.exit_code == 2
    assert "names no classes" in refused.output and f"--backbone run:{folder}" in refused.output
    drawn = invoke("report", folder)
    assert drawn.exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "nonsense"), "There is no surrogate task nonsense"),
        (("--by", "slow", "--apart", "1"), "--apart"),
        (("--by", "egomotion", "--poses", "nowhere.csv"), "cannot be read"),
    ],
)
def test_mistakes_end_with_a_sentence(words: tuple[str, ...], said: str, _digits: Path, tmp_path: Path) -> None:
    done = invoke("pretrain", _digits, "--out", tmp_path / "run", *words, *QUICK)
    assert done.exit_code == 2
    assert said in done.output and "Traceback" not in done.output
