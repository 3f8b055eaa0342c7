"""The pages, and what stands in their fences."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def fences() -> Callable[[str], list[tuple[str, str]]]:
    """Return a function from a page's path to its (language, text) fences, in order."""
    return lambda page: FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
