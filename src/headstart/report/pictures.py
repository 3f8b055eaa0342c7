"""The run's pictures as data URIs, so that the page is one file."""

from __future__ import annotations

import base64
from pathlib import Path

LARGEST = 400_000
"""Bytes; a thumb is far below, and a page of full-size photographs would not open on a phone."""

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def data_uri(run: Path, picture: str | None) -> str | None:
    """The picture at the path `picture` in the run as a data URI; None where there is none to show.

    Records may come from elsewhere, so a path that leaves the run, a file that is neither PNG nor
    JPEG by its first bytes, and a file that is no thumb are all taken as no picture.
    """
    if not picture:
        return None
    path = _inside(run, picture)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError:
        return None
    kind = next((name for start, name in SIGNATURES.items() if content.startswith(start)), None)
    if kind is None or len(content) > LARGEST:
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _inside(run: Path, picture: str) -> Path | None:
    try:
        root = run.resolve()
        path = (root / picture).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):
        return None
