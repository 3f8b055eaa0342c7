"""Units of work in processes: the same bits, errors that arrive, and nobody left behind."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from headstart.errors import DataError, RunError
from headstart.runs.side_by_side import SideBySide, one_thread

WORK = """
import os, time

def told(folder, number):
    open(f"{folder}/{number}", "w").write(str(os.getpid()))
    time.sleep(60)

def counted(folder, number):
    return number + 1

def killed(folder, number):
    os.kill(os.getpid(), 9)
"""
SCRIPT = """
import signal, sys
from headstart.runs.side_by_side import SideBySide
from work import told, counted

# Tests that a shell runs in the background have this signal ignored, and hand that down.
signal.signal(signal.SIGINT, signal.default_int_handler)

print("began", flush=True)
with SideBySide(sys.argv[1], jobs=2) as workers:
    print(sorted(workers.each(WORK, [0, 1])))
"""


def scaled(factor: float, unit: int) -> tuple[int, float, int]:
    """A number that depends on the order of additions, and the threads that it was made by."""
    torch.manual_seed(unit)
    return unit, factor * float((torch.randn(300, 300) @ torch.randn(300, 300)).sum()), torch.get_num_threads()


def refused(_: float, unit: int) -> None:
    """Fail as a worker may."""
    raise DataError(f"unit {unit} is broken", "mend it")


def test_one_process_and_two_give_the_same_bits_on_one_thread_each() -> None:
    found = []
    for jobs in (1, 2):
        with SideBySide(2.0, jobs=jobs) as workers:
            found.append(sorted([*workers.each(scaled, [0, 1, 2]), *workers.each(scaled, [3])]))
    assert found[0] == found[1]
    assert [threads for *_, threads in found[0]] == [1] * 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_arrives_as_what_it_is(jobs: int) -> None:
    with pytest.raises(DataError, match="unit 7 is broken"), SideBySide(1.0, jobs=jobs) as workers:
        list(workers.each(refused, [7]))


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_script_that_does_not_expect_other_processes_is_run_once(tmp_path: Path) -> None:
    done = _started(tmp_path, work="counted").communicate(timeout=120)
    assert done == ("began\n[1, 2]\n", "")


def test_a_process_that_is_ended_from_outside_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    killed = importlib.import_module("work").killed
    with pytest.raises(RunError, match="ended from outside"), SideBySide(str(tmp_path), jobs=2) as workers:
        list(workers.each(killed, [0, 1]))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_when_the_first_process_ends_so_do_the_others(tmp_path: Path, how: signal.Signals) -> None:
    process = _started(tmp_path, work="told")
    _until(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in "01"))
    workers = [int((tmp_path / name).read_text()) for name in "01"]
    process.send_signal(how)
    process.communicate(timeout=30)
    _until(lambda: not any(_alive(one) for one in workers))


def _started(folder: Path, *, work: str) -> subprocess.Popen[str]:
    """A script without a guard, as people write them, whose processes do this work."""
    (folder / "work.py").write_text(WORK)
    (folder / "script.py").write_text(SCRIPT.replace("WORK", work))
    command = [sys.executable, str(folder / "script.py"), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _until(done: object) -> None:
    assert callable(done)
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    pytest.fail("nothing happened for a minute")
