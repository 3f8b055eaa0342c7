"""What `headstart labels` prints, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--replicates", "5", "--more", "30")


def test_labels_as_sentences_and_as_one_document(headstart: Command, digits_folder: Path) -> None:
    told = headstart("labels", digits_folder, *QUICK)
    assert told.returncode == 0, told.stderr
    assert "Another 30 labels would bring +" in told.stdout and "Half of the labels would have cost" in told.stdout
    done = headstart("labels", digits_folder, *QUICK, "--json")
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["labels"] == 96 and found["more"] == 30 and found["level"] == 0.8
    assert f"With all 96 labels: {100 * found['now']['value']:.1f} %" in told.stdout


def test_one_replicate_is_said_to_have_no_interval(headstart: Command, digits_folder: Path) -> None:
    told = headstart("labels", digits_folder, *QUICK[:4], "--replicates", "1")
    assert told.returncode == 0 and "there is no interval" in told.stdout


def test_labels_refuses(headstart: Command, digits_folder: Path) -> None:
    for words in ((digits_folder / "nowhere",), (digits_folder, "--more", "0"), (digits_folder, "--backbone", "none")):
        done = headstart("labels", *words)
        assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
