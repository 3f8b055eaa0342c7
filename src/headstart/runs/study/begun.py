"""What a study of surrogate tasks has begun with: going on with something else is refused."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from headstart.records import Journal, Record
from headstart.runs.context import Context
from headstart.runs.fit import same_images
from headstart.runs.surrogates import side_of
from headstart.strategies import SURROGATES

WHAT = "surrogates"
"""The kind of the plan's record."""


def hash_of(data: Any) -> str:
    """Of images from memory, which have no place that could tell them from others."""
    found = blake2b(digest_size=8)
    for one in data if isinstance(data, Sequence) else [data]:
        array = np.asarray(one)
        found.update(f"{array.shape} {array.dtype} ".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def methods_there(folder: Path) -> tuple[str, ...]:
    """Those that a study in `folder` has begun with; none where there is no study."""
    there = Journal(folder / "records.jsonl").get("plan") if (folder / "records.jsonl").exists() else None
    return tuple(there.detail["options"]["methods"]) if there is not None and there.what == WHAT else ()


def refuse_other_material(context: Context, learned: Record) -> None:
    """Refuse networks that did not learn from the same images.

    Raises
    ------
    RunError : the images have changed since the study began.
    """

    def reads(record: Record) -> tuple[int, str, int]:
        row = SURROGATES[record.strategy]
        return record.seed, row.needs, side_of(row, context.options.size)

    for before in context.journal.of("learned"):
        if reads(before) == reads(learned):
            same_images(context.folder, before, learned.data)
