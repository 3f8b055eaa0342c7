"""What a run ran on, for its records."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("headstart", "torch", "timm", "openvino", "scikit-learn", "numpy", "pillow")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")

M_MMAP_THRESHOLD = -3
"""glibc's name, in malloc.h, for the size from which a block is mapped by itself, and so returned when it is freed."""
M_TRIM_THRESHOLD = -1
"""The same for how much free memory at the end of the heap is kept before it is handed back."""
RETURNED, KEPT = (2**20, 2**17), (2**25, 2**29)
"""Both sizes while memory goes back, and while it is kept. glibc sets the second one itself, until the first is set."""


def machine() -> dict[str, Any]:
    """Processor, the flags that matter to networks, cores and versions."""
    lines = _cpuinfo()
    flags = lines.get("flags", "").split()
    return {
        "processor": lines.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def give_back_memory() -> None:
    """Hand freed memory back to the system, so that one step's leavings do not add to the next one's peak.

    glibc keeps what is freed between blocks still in use; elsewhere there is nothing to do.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def returning_memory() -> Iterator[None]:
    """Within it, large blocks go back to the system when they are freed, instead of leaving holes between what stays.

    Features and heads of one network after the other left a quarter of a gigabyte of holes, on which the peak of a
    training then stood. A training itself asks for such blocks at every step, and would lose half of its speed.
    """
    _keep(RETURNED)
    try:
        yield
    finally:
        _keep(KEPT)


def _keep(sizes: tuple[int, int]) -> None:
    """Bytes from which glibc maps a block by itself, and that it keeps free at the end of the heap."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        for name, size in zip((M_MMAP_THRESHOLD, M_TRIM_THRESHOLD), sizes, strict=True):
            libc.mallopt(name, size)


def cache_folder() -> Path:
    """Where pixels, features and compiled graphs are kept: HEADSTART_CACHE, or ~/.cache/headstart."""
    return Path(os.environ.get("HEADSTART_CACHE") or "~/.cache/headstart").expanduser()


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
