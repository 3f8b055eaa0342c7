"""Stopped by a user or killed by the system, the same command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from headstart.records import Journal

OPTIONS = ("--backbone", "random/test_resnet", "--size", "32", "--budget", "40s")


def stopped(words: list[str], out: Path, *, at: str, by: signal.Signals) -> tuple[int, str]:
    """Start a command, send it a signal as soon as the record `at` is there, and give code and stderr."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    records = out / "records.jsonl"
    until = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        if records.exists() and f'"key": "{at}' in records.read_text():
            break
        time.sleep(0.02)
    process.send_signal(by)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again(headstart: Any, _digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [sys.executable, "-m", "headstart", "fit", str(_digits), "--out", str(out), *OPTIONS]

    assert stopped(words, out, at="data", by=signal.SIGKILL)[0] == -signal.SIGKILL
    plan = (out / "records.jsonl").read_text().splitlines()[0]
    code, said = stopped(words, out, at="probe/random/test_resnet/stem", by=signal.SIGINT)
    assert code == 130, said
    assert said == "Stopped. The same command goes on where it was.\n"
    assert stopped(words, out, at="candidate/probe", by=signal.SIGKILL)[0] == -signal.SIGKILL
    finished = {r.key: r.to_json() for r in Journal(out / "records.jsonl")}
    assert "candidate/probe" in finished

    done = headstart("fit", _digits, "--out", out, *OPTIONS, "--json")
    assert done.returncode == 0, done.stderr
    lines = (out / "records.jsonl").read_text().splitlines()
    assert lines[0] == plan, "the plan is made once"
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys)), "nothing is measured twice"
    records = {r.key: r.to_json() for r in Journal(out / "records.jsonl")}
    assert {key: records[key] for key in finished} == finished, "what was finished stays as it was"
    assert keys.count("test") == 1 and keys[-1] == "spent"
    assert not list(out.rglob("*.part"))
    assert json.loads(done.stdout)["test"] == json.loads((out / "metrics.json").read_text())
    assert headstart("predict", out, _digits / "0").returncode == 0
