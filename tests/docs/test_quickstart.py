"""The quick start does what it says: its blocks run in order, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = "docs/quickstart.md"


def commands(text: str) -> list[str]:
    """Return what stands behind the prompts; lines without one are output."""
    return [line.removeprefix("$ ") for line in text.replace("\\\n", " ").splitlines() if line.startswith("$ ")]


def test_output_and_continued_lines_are_told_from_commands() -> None:
    assert commands("$ one \\\n  --two\noutput\n$ three\n") == ["one    --two", "three"]


@pytest.mark.slow
def test_every_block_of_the_quick_start_runs(
    fences: Callable[[str], list[tuple[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, object] = {"__name__": "quickstart"}
    ran = []
    for language, told in fences(PAGE):
        text = told.replace("1m", "20s")
        if language == "python":
            exec(compile(text, PAGE, "exec"), names)
        elif language == "console":
            for command in commands(text):
                done = subprocess.run(command, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        ran.append(language)

    assert {"python", "console"} <= set(ran)
    predicted = (tmp_path / "predictions.csv").read_text().splitlines()
    assert len(predicted) == 1 + len(list((tmp_path / "pictures").rglob("*.png")))
    for run in ("run", "run-python"):
        assert "<svg" in (tmp_path / run / "report.html").read_text(encoding="utf-8")
