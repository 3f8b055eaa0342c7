"""Units of work in processes: the same bits, errors that arrive, and nobody left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from headstart.errors import DataError
from headstart.runs.side_by_side import SideBySide, one_thread

SCRIPT = """
import os, sys, time
from headstart.runs.side_by_side import SideBySide

def told(folder, number):
    (open(f"{folder}/{number}", "w")).write(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    with SideBySide(sys.argv[1], jobs=2) as workers:
        list(workers.each(told, [0, 1]))
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


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_when_the_first_process_ends_so_do_the_others(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path)], stderr=subprocess.PIPE)
    _until(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in "01"))
    workers = [int((tmp_path / name).read_text()) for name in "01"]
    process.send_signal(how)
    process.communicate(timeout=30)
    _until(lambda: not any(_alive(one) for one in workers))


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
