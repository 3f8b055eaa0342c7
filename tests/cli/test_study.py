"""What `headstart study ranking` prints, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--backbone", "random/test_resnet", "--backbone", "random/test_vit", "--size", "32", "--budget", "1h")


@pytest.mark.slow
def test_a_back_test_as_tables_and_as_one_document(headstart: Command, _digits: Path, tmp_path: Path) -> None:
    words = ("study", "ranking", _digits, "--out", tmp_path / "out", *QUICK, "--repeats", "2", "--strategy", "norms")
    done = headstart(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["repeats"] == 2 and found["strategy"] == "norms" and "probe" in found["scores"]
    assert {"value", "low", "high"} == set(found["scores"]["logme"]["tau"])
    told = headstart(*words)
    assert told.returncode == 0 and "\x1b" not in told.stdout
    assert found["sentence"] in told.stdout and "The test part was not read" in told.stdout
    assert all(name in told.stdout for name in found["scores"])


def test_studies_refuse(headstart: Command, digits_folder: Path, tmp_path: Path) -> None:
    for words in (
        (digits_folder / "nowhere", "--out", tmp_path / "out"),
        (digits_folder, "--out", tmp_path / "out", "--strategy", "probe"),
        (digits_folder, "--out", tmp_path / "out", "--backbone", "random/test_resnet"),
        (digits_folder, "--out", digits_folder / "out", *QUICK),
        (digits_folder, "--out", tmp_path / "out", *QUICK, "--budget", "1s"),
    ):
        done = headstart("study", "ranking", *words)
        assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) >= 2
    assert not list((tmp_path / "out").rglob("*"))
