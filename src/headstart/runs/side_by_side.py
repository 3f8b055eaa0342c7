"""Units of work that do not depend on each other, some at a time, each in a process with one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar

import torch

from headstart.errors import RunError

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

    Raises
    ------
    RunError : from `each`, where a process was ended from outside.
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
        with _spawning():
            waiting = {self._pool.submit(_one, work, unit) for unit in units}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        except BrokenProcessPool as error:
            fact = "A process that trained networks was ended from outside, for lack of memory perhaps."
            raise RunError(fact, "Repeat the command with fewer --jobs: it goes on where it was.") from error


@contextmanager
def _spawning() -> Iterator[None]:
    """While processes start: they run nothing of the caller's own script, and Ctrl-C is left to this process.

    A new process would import the main module again; a script that does not expect that would begin anew in each of
    them. What they work on comes from modules.
    """
    main = sys.modules["__main__"]
    kept: dict[str, Any] = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
    in_front = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_front else None
    main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(kept)
        if in_front:
            signal.signal(signal.SIGINT, before)


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
    _shared.append(shared)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
