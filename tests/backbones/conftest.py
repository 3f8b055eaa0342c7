"""Networks with random weights, made once; a test that changes one takes a copy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch

from headstart.backbones import Backbone, load_random

SIZE = 64


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose time to a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def _made() -> Callable[[str], Backbone]:
    return cache(lambda architecture: load_random(architecture, size=SIZE, seed=0))


@pytest.fixture(scope="session")
def shared(_made: Callable[[str], Backbone]) -> Callable[[str], Backbone]:
    """Return architecture -> a backbone for 64 px that no test may change."""
    return _made


@pytest.fixture
def fresh(_made: Callable[[str], Backbone]) -> Callable[[str], Backbone]:
    """Return architecture -> a copy of the same backbone, the test's own."""
    return lambda architecture: copy.deepcopy(_made(architecture))
