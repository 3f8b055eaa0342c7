#!/usr/bin/env python3
"""Execute a lab page: its Python blocks in order, in one process, and what each printed under it.

python docs/labs/execute.py docs/labs/1-freeze-or-fine-tune.md [more pages]

A page is Markdown. Every block of ``python`` runs in a fresh folder that all blocks of the page share; the block of
``text`` after it is replaced by what was printed. LAB_SECONDS says how long the commands in a page may take.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

PRINTED = re.compile(r"```python\n.*?```\n(\n```text\n)?", re.DOTALL)
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n.*?```\n)?", re.DOTALL)


def execute(page: Path, folder: Path) -> str:
    """The page with what its blocks print now; they run in `folder`."""
    names: dict[str, object] = {"__name__": "lab"}
    before = Path.cwd()

    def run(found: re.Match[str]) -> str:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(compile(found[1], str(page), "exec"), names)
        printed = told.getvalue().rstrip()
        return f"```python\n{found[1]}```\n" + (f"\n```text\n{printed}\n```\n" if printed else "")

    try:
        os.chdir(folder)
        return BLOCK.sub(run, page.read_text(encoding="utf-8"))
    finally:
        os.chdir(before)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(name).resolve()
            page.write_text(execute(page, Path(folder)), encoding="utf-8")
