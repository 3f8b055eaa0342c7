"""The command line, and one run that it made in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headstart.cli.main import app

QUICK = ("--backbone", "random/test_resnet", "--size", "32", "--budget", "40s", "--strategy", "probe")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "headstart", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _called(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in arguments]
    done = CliRunner().invoke(app, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


@dataclass(frozen=True)
class Made:
    """A finished run and what its command said."""

    folder: Path
    stdout: str
    stderr: str


@pytest.fixture
def headstart() -> Command:
    """Return the function words of the command line → what it said, called here: importing takes seconds."""
    return _called


@pytest.fixture(scope="session")
def _run(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Made:
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = _process("fit", _digits, "--out", folder, *QUICK, "--json")
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
