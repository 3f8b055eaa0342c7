"""`headstart pretrain`, and what other commands make of its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headstart.cli.main import app
from headstart.records import Journal

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


def test_a_video_that_cannot_be_used_is_passed_over_and_named(film: Path, tmp_path: Path) -> None:
    """Of three files one is whole, one breaks off, and one is no video: the first two are learned from."""
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "whole.avi").write_bytes(film.read_bytes())
    (videos / "cut.avi").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    (videos / "none.mp4").write_bytes(b"no film at all" * 100)
    done = invoke("pretrain", videos, "--by", "slow", "--every", "2", "--out", tmp_path / "run", *QUICK)
    assert done.exit_code == 0, done.output
    data = Journal(tmp_path / "run" / "records.jsonl").get("data")
    assert data is not None
    assert data.detail["sequences"] == ["cut.avi", "whole.avi"]
    assert [one["path"] for one in data.detail["broken"]] == ["none.mp4"]
    assert data.metrics["broken"] == 1 and 20 < data.metrics["used"] < 40
    page = (tmp_path / "run" / "report.html").read_text()
    for note in ("cut.avi breaks off after", "1 file(s) cannot be used; the first is none.mp4: cannot be decoded"):
        assert any(note in one for one in data.detail["notes"])
        assert note in page and note in done.output
    (videos / "whole.avi").unlink(), (videos / "cut.avi").unlink()
    refused = invoke("pretrain", videos, "--by", "slow", "--out", tmp_path / "none", *QUICK)
    assert refused.exit_code == 2 and "none.mp4: cannot be decoded" in refused.output


def test_poses_by_number_need_every_frame_before_them(film: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"no film at all")
    (videos / "b.avi").write_bytes(film.read_bytes())
    (tmp_path / "poses.csv").write_text("frame,x\n" + "".join(f"{n},{n}\n" for n in range(40)))
    words = ("--by", "egomotion", "--poses", tmp_path / "poses.csv", "--out", tmp_path / "run")
    done = invoke("pretrain", videos, *words, *QUICK)
    assert done.exit_code == 2 and "a.mp4 cannot be read to its end" in done.output


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
