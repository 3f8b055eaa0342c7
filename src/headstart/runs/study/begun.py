"""What a study of surrogate tasks has begun with: going on with something else is refused."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.runs.context import Context
from headstart.runs.study.studying import Studying
from headstart.runs.surrogates import side_of
from headstart.strategies import SURROGATES

WHAT = "surrogates"
"""The kind of the plan's record."""


def hash_of(data: Any) -> str:
    """Of images from memory, which have no place that could tell them from others."""
    found = blake2b(digest_size=8)
    for one in [data] if isinstance(data, np.ndarray) else data:
        array = np.asarray(one)
        found.update(f"{array.shape} {array.dtype} ".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def methods_there(folder: Path) -> tuple[str, ...]:
    """Those that a study in `folder` has chosen by itself; none where there is no such study."""
    there = Journal(folder / "records.jsonl").get("plan") if (folder / "records.jsonl").exists() else None
    by_itself = there is not None and there.what == WHAT and there.detail["notes"]
    return tuple(there.detail["options"]["methods"]) if there is not None and by_itself else ()


def refuse_other_images(context: Context, learned: Record, folder: Path) -> None:
    """Refuse a network, in `folder`, that learned from other images than those before it.

    Raises
    ------
    RunError : the images have changed since the study began.
    """
    options = context.options
    assert isinstance(options, Studying)

    def reads(record: Record) -> tuple[str, int]:
        # Frames of a video are known by their pixels, at the size that they are read in.
        row = SURROGATES[record.strategy]
        kind = row.needs if row.needs != "motion" else "frames" if options.poses else "images"
        return kind, side_of(row, options.size)

    for before in context.journal.of("learned"):
        same = before.detail.get("images") in (None, learned.detail["images"])
        if reads(before) == reads(learned) and not same:
            fact = f"The images have changed since the study in {context.folder} was started."
            raise RunError(fact, f"Restore them and remove {folder}, or choose another --out.")
