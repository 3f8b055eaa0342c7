"""The labs run from end to end, and their pages hold what they printed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.runs import demo

LABS = Path(__file__).parents[2] / "docs/labs"
PAGES = sorted(page.name for page in LABS.glob("[0-9]*.md"))

spec = importlib.util.spec_from_file_location("execute", LABS / "execute.py")
assert spec is not None and spec.loader is not None
execute = importlib.util.module_from_spec(spec)
spec.loader.exec_module(execute)


def a_sixth(folder: Path, whole: Callable[[Path], Path] = demo.write_digits) -> Path:
    """A sixth of the images of a lab: what is tested is that its blocks run, not what they find."""
    for path in whole(folder).glob("*/*.png"):
        if int(path.stem) % 12 > 1:
            path.unlink()
    return folder


def test_there_are_three() -> None:
    assert len(PAGES) == 3
    index = (LABS / "index.md").read_text()
    assert all(page in index for page in PAGES)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_lab_runs_within_its_budget(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SECONDS", "15")
    monkeypatch.setattr(demo, "write_digits", a_sixth)
    kept = (LABS / page).read_text()
    made = execute.execute(LABS / page, tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", kept, re.DOTALL)
    assert blocks == re.findall(r"```python\n(.*?)```", made, re.DOTALL)
    # The page as it stands was executed: it prints under the same blocks as it does now.
    places = [[bool(told) for told in execute.PRINTED.findall(text)] for text in (kept, made)]
    assert places[0] == places[1] and any(places[0])
