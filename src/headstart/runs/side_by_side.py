"""Units of work that do not depend on each other, some at a time, each in a process with one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

import torch

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
_shared: list[Any] = []


class SideBySide(Generic[S]):
    """Processes that work on units one after the other, each on one thread.

    However many there are, the bits of what they compute are the same. One alone is this process itself. When the
    caller leaves, or is killed, the others end, too.

    Parameters
    ----------
    shared : what all units need; it is sent to each process once.
    jobs : units at a time.
    """

    def __init__(self, shared: S, *, jobs: int) -> None:
        self._shared = shared
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(shared,))

    def __enter__(self) -> SideBySide[S]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            # What is under way would go on for nobody; what it has done so far lies in its checkpoint.
            processes = list((self._pool._processes or {}).values()) if kind is not None else []
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            for process in processes:
                process.terminate()

    def each(self, work: Callable[[S, T], R], units: Sequence[T]) -> Iterator[R]:
        """What `work`, a function of a module, makes of what is shared and each unit, in the order they are done."""
        if self._pool is None:
            with one_thread():
                yield from (work(self._shared, unit) for unit in units)
            return
        waiting = {self._pool.submit(_one, work, unit) for unit in units}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, torch computes on one thread of this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one(work: Callable[[Any, T], R], unit: T) -> R:
    return work(_shared[0], unit)


def _begin(shared: object) -> None:
    """A new process: one thread, and its end when the one that began it ends, killed or not."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of them; the one that began them ends the others
    _shared.append(shared)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
