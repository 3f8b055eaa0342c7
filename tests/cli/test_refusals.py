"""Whatever is wrong with a call or with the data: exit 2, no traceback, what it is and what to do, nothing left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from headstart.cli.main import app

QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--budget", "40s", "--strategy", "probe")
Refused = Callable[..., str]


@pytest.fixture
def refused() -> Refused:
    """Return a function that runs a command in this process, expects its refusal, and gives what it said."""

    def call(*words: str | Path) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 2, done.output
        assert "Traceback" not in done.output
        assert done.stdout == ""
        fact, *remedy = done.stderr.strip().splitlines()
        assert fact.endswith((".", "?")) and remedy, done.stderr
        return done.stderr

    return call


@pytest.fixture
def fit(refused: Refused, tmp_path: Path) -> Callable[..., str]:
    """Return a function that expects `fit` to refuse, and to leave nothing behind."""

    def call(data: Path, *words: str) -> str:
        said = refused("fit", data, "--out", tmp_path / "out", *QUICK, *words)
        left = list((tmp_path / "out").rglob("*")) if (tmp_path / "out").exists() else []
        assert not left, left
        return said

    return call


def test_no_folder(fit: Refused, tmp_path: Path) -> None:
    assert "nowhere" in fit(tmp_path / "nowhere")


def test_an_empty_folder(fit: Refused, tmp_path: Path) -> None:
    (tmp_path / "vacant").mkdir()
    assert "vacant" in fit(tmp_path / "vacant")


def test_class_folders_without_files(fit: Refused, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "vacant" / name).mkdir(parents=True)
    assert "vacant" in fit(tmp_path / "vacant")


def test_images_without_classes(fit: Refused, digits_folder: Path) -> None:
    assert "class" in fit(digits_folder / "0")


def test_one_class(fit: Refused, digits_folder: Path) -> None:
    for name in "1234":
        shutil.rmtree(digits_folder / name)
    assert "0" in fit(digits_folder)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_of_a_class(fit: Refused, digits_folder: Path, count: int) -> None:
    (digits_folder / "rare").mkdir()
    for path in sorted((digits_folder / "0").iterdir())[:count]:
        path.rename(digits_folder / "rare" / path.name)
    assert "rare" in fit(digits_folder)


def test_nothing_but_broken_files(fit: Refused, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "broken" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "broken" / name / f"{i}.png").write_text("not an image")
    fit(tmp_path / "broken")


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("packaged/efficientnet_lite9", "packaged/efficientnet_lite0"),
        ("random/resnet81", "random/resnet18"),
        ("timm/resnt50", "timm/resnet50"),
        ("resnet18", "resnet18"),
        ("packaged/*resnet*", "packaged/"),
        ("", "packaged/"),
        ("run:/nowhere", "fit"),
        ("file:/nowhere.pth@resnet18", ""),
    ],
)
def test_an_unknown_backbone(refused: Refused, digits_folder: Path, tmp_path: Path, name: str, offered: str) -> None:
    said = refused("fit", digits_folder, "--out", tmp_path / "out", "--size", "32", "--backbone", name)
    assert offered in said and name.removeprefix("run:").removeprefix("file:").partition("@")[0] in said
    assert not list((tmp_path / "out").rglob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--budget", "soon"),
        ("--budget", "0s"),
        ("--budget", "-5m"),
        ("--split", "60/40"),
        ("--split", "60/x/20"),
        ("--split", "0/50/50"),
        ("--split", "nan/20/20"),
        ("--split", "60/-20/20"),
        ("--metric", "auc"),
        ("--size", "8"),
        ("--size", "99999"),
        ("--seed", "-1"),
        ("--strategy", "lastblock"),
        ("--device", "tpu"),
        ("--device", "cuda"),
        ("--margin", "-1"),
        ("--margin", "nan"),
        ("--class-weight", "heavy"),
        ("--max-pixels", "0"),
        ("--seed", "99999999999999999999"),
    ],
)
def test_a_value_that_an_option_cannot_have(fit: Refused, digits_folder: Path, option: str, value: str) -> None:
    if (option, value) == ("--device", "cuda"):
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
    fit(digits_folder, option, value)


@pytest.mark.parametrize(("option", "value"), [("--size", "large"), ("--seed", "x"), ("--margin", "wide")])
def test_not_even_a_number(digits_folder: Path, tmp_path: Path, option: str, value: str) -> None:
    done = CliRunner().invoke(app, ["fit", str(digits_folder), "--out", str(tmp_path / "out"), option, value])
    assert done.exit_code == 2
    assert option in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def break_some(folder: Path) -> list[str]:
    """Spoil a class folder in every way that files are found spoilt; give their names."""
    whole = sorted(folder.glob("*.png"))[0].read_bytes()
    (folder / "x-cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "x-empty.png").write_bytes(b"")
    (folder / "x-notes.txt").write_text("dear diary")
    (folder / "x-page.png").write_text("<html></html>")
    return ["x-cut.png", "x-empty.png", "x-notes.txt", "x-page.png"]


def test_strict_makes_broken_files_an_error(fit: Refused, digits_folder: Path) -> None:
    broken = break_some(digits_folder / "1")
    said = fit(digits_folder, "--strict")
    assert any(name in said for name in broken) and "4" in said


def test_strict_and_an_image_above_the_cap(fit: Refused, digits_folder: Path) -> None:
    Image.new("L", (300, 300)).save(digits_folder / "1" / "poster.png")
    said = fit(digits_folder, "--strict", "--max-pixels", "89999")
    assert "poster.png" in said and "89,999" in said


def test_out_holds_other_files(refused: Refused, digits_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("dear")
    assert "thesis" in refused("fit", digits_folder, "--out", tmp_path / "thesis", *QUICK)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_out_below_a_file(refused: Refused, digits_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in refused("fit", digits_folder, "--out", tmp_path / "file" / "run", *QUICK)
    assert "file" in refused("fit", digits_folder, "--out", tmp_path / "file", *QUICK)


def test_out_inside_the_images(refused: Refused, digits_folder: Path) -> None:
    said = refused("fit", digits_folder, "--out", digits_folder / "run", *QUICK)
    assert "run" in said and not (digits_folder / "run").exists()


def test_out_without_permission(
    refused: Refused, digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.mkdir

    def mkdir(path: Any, *rest: Any, **more: Any) -> None:
        if str(path).endswith("forbidden"):
            raise PermissionError(13, "Permission denied", str(path))
        real(path, *rest, **more)

    monkeypatch.setattr(os, "mkdir", mkdir)
    said = refused("fit", digits_folder, "--out", tmp_path / "forbidden", *QUICK)
    assert "No permission" in said and "forbidden" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_class_folder_that_may_not_be_read(fit: Refused, digits_folder: Path) -> None:
    (digits_folder / "1").chmod(0)
    assert "1" in fit(digits_folder)
    (digits_folder / "1").chmod(0o755)


@pytest.mark.slow
def test_the_folder_of_another_run(refused: Refused, run: Path, digits_folder: Path, _digits: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert "seed" in refused("fit", _digits, "--out", run, *QUICK, "--seed", "7")
    assert "digits" in refused("fit", digits_folder, "--out", run, *QUICK)
    assert "metric" in refused("fit", _digits, "--out", run, *QUICK, "--metric", "macro_f1")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_predict_with_a_damaged_bundle(refused: Refused, run: Path, _digits: Path) -> None:
    for name in ("graph.bin", "model.safetensors", "config.json", "graph.xml"):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[:-9])
        assert name in refused("predict", run, _digits)
        (run / name).write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
        assert name in refused("predict", run, _digits)
        (run / name).unlink()
        assert name in refused("predict", run, _digits)
        (run / name).write_bytes(whole)


@pytest.mark.slow
def test_predict_on_what_is_not_there(refused: Refused, run: Path, tmp_path: Path) -> None:
    assert "nothing.png" in refused("predict", run, tmp_path / "nothing.png")
    (tmp_path / "vacant").mkdir()
    assert "vacant" in refused("predict", run, tmp_path / "vacant")


def test_predict_and_report_without_a_run(refused: Refused, digits_folder: Path, tmp_path: Path) -> None:
    for command in (("predict", tmp_path / "no-run", digits_folder), ("report", tmp_path / "no-run")):
        assert "no-run" in refused(*command)
    for command in (("predict", digits_folder, digits_folder), ("report", digits_folder)):
        assert "digits" in refused(*command)


@pytest.mark.slow
def test_predict_on_an_unfinished_run(refused: Refused, run: Path, digits_folder: Path) -> None:
    lines = (run / "records.jsonl").read_bytes().splitlines(keepends=True)
    (run / "records.jsonl").write_bytes(b"".join(lines[:2]))
    (run / "config.json").unlink()
    assert "Repeat" in refused("predict", run, digits_folder)


@pytest.mark.slow
def test_records_that_are_none(refused: Refused, run: Path, _digits: Path) -> None:
    with (run / "records.jsonl").open("ab") as file:
        file.write(b"{broken\n")
    assert "records.jsonl" in refused("report", run)
    assert "records.jsonl" in refused("fit", _digits, "--out", run, *QUICK)


def test_a_size_of_the_cache_that_is_none(refused: Refused) -> None:
    assert "much" in refused("cache", "prune", "--to", "much")


def test_scores_that_do_not_exist(refused: Refused, digits_folder: Path) -> None:
    words = ("--backbone", "random/test_resnet", "--size", "32")
    assert "logme" in refused("rank", digits_folder, *words, "--scores", "logmee")
    assert "nowhere" in refused("rank", digits_folder / "nowhere", *words)
