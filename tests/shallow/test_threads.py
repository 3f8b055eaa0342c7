"""One thread a product, found out about once."""

from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

from headstart.shallow import threads


def blas() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]


def test_products_run_on_one_thread_and_then_as_before() -> None:
    before = blas()
    with threads.one_thread():
        assert set(blas()) == {1}
        with threads.one_thread():
            assert set(blas()) == {1}
        assert set(blas()) == {1}
    assert blas() == before


def test_libraries_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search calls back from C, where a Ctrl-C would be lost."""
    with threads.one_thread():
        pass
    monkeypatch.setattr(threads, "ThreadpoolController", lambda: pytest.fail("looked for again"))
    for _ in range(3):
        with threads.one_thread():
            pass
