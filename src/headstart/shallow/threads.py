"""Matrix products on one thread, where several are under way at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    # Looked for once: the search calls back from C, and a Ctrl-C that falls into such a call is lost.
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """While it lasts, each product runs on the thread that asks for it.

    Small products gain nothing from threads of their own, and lose much by waiting for each other where
    the machine is shared.
    """
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited
