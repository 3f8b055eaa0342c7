"""`headstart adapt`, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--method", "coral", "--method", "adabn", "--epochs", "1")


def test_adapt_as_one_document_then_in_words_and_predict(
    headstart: Command, digits_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(digits_folder, tmp_path / "target")
    for path in (tmp_path / "target").rglob("*.png"):
        if int(path.stem) % 2:
            path.unlink()
        else:
            (digits_folder / path.relative_to(tmp_path / "target")).unlink()
    words = ("adapt", digits_folder, "--to", tmp_path / "target", "--out", tmp_path / "again", *QUICK, "--oracle")
    done = headstart(*words, "--json")
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"]["chosen"] in ("source_only", "coral")
    assert set(found["oracle"]) == {"source_only", "coral", "finetuned_source", "adabn"}
    told = headstart(*words)
    assert told.returncode == 0 and found["verdict"]["sentence"] in told.stdout and "Oracle: " in told.stdout
    named = headstart("predict", tmp_path / "again", tmp_path / "target", "--csv")
    assert named.returncode == 0 and named.stdout.startswith("path,class,probability\n")
    assert headstart("report", tmp_path / "again").returncode == 0


def test_adapt_refuses_in_a_sentence(headstart: Command, digits_folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(digits_folder.rglob("*.png"))[:30]):
        shutil.copy(path, flat / f"{number}.png")
    start = ("adapt", digits_folder, "--to", flat, "--out", tmp_path / "run")
    cases = {
        "no labels to be read": (*start, "--labels", "2"),
        "no method named corral": (*start, "--method", "corral"),
        "0 epochs are out of range": (*start, "--method", "dan", "--epochs", "0"),
    }
    for sentence, words in cases.items():
        done = headstart(*words)
        assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr, done.stderr
