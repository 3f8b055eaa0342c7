"""The real command line, in a process of its own, and one run that it made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--budget", "40s", "--strategy", "probe")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "headstart", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Made:
    """A finished run and what its command said."""

    folder: Path
    stdout: str
    stderr: str


@pytest.fixture
def headstart() -> Command:
    """Return the function words of the command line → finished process."""
    return _command


@pytest.fixture(scope="session")
def _run(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Made:
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = _command("fit", _digits, "--out", folder, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    return Made(folder, done.stdout, done.stderr)


@pytest.fixture
def made(_run: Made) -> Made:
    """Return a run of the command line's, to be read only."""
    return _run


@pytest.fixture
def run(_run: Made, tmp_path: Path) -> Path:
    """Return a copy of that run's folder, that the test may spoil."""
    return Path(shutil.copytree(_run.folder, tmp_path / "run"))
