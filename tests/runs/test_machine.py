"""What is freed while networks are compared goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALONE = """
from pathlib import Path

import numpy as np

from headstart.runs.machine import returning_memory


def resident():
    told = Path("/proc/self/status").read_text()
    return int(told.split("RssAnon:")[1].split()[0]) * 1024


size = 8 * 2**20
large = np.ones(3 * size, dtype=np.uint8)
del large  # from now on glibc takes blocks of this size from the heap
with returning_memory():
    before = resident()
    kept, freed = [], []
    for _ in range(16):
        freed.append(np.ones(size, dtype=np.uint8))
        kept.append(np.ones(1000, dtype=np.uint8))
    assert resident() - before > 8 * size
    freed.clear()
    assert resident() - before < 2 * size, "blocks between what stays were not returned"
assert len(kept) == 16
"""


AFTERWARDS = """
import resource

import numpy as np

from headstart.runs.machine import returning_memory


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


with returning_memory():
    pass
for _ in range(3):
    np.ones(8 * 2**20, dtype=np.uint8)
before = faults()
for _ in range(10):
    np.ones(8 * 2**20, dtype=np.uint8)
assert faults() - before < 200, f"{faults() - before} pages were asked for again"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_what_is_freed_goes_back_at_once() -> None:
    """In a process of its own: one that ran other tests has holes that new blocks fill without taking memory."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_afterwards_a_step_finds_the_memory_of_the_one_before() -> None:
    """A training takes and frees the same blocks at every step."""
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
