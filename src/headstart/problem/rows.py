"""From rows of (path, label, part, group) to `Labelled`: what folders and tables share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import Domain, Labelled, Task, printable

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class Row(NamedTuple):
    """One image as a folder or a table names it."""

    path: Path
    label: str
    part: str | None = None
    group: str | None = None


def labelled(
    rows: Sequence[Row], *, classes: Iterable[str], root: Path, layout: str, notes: tuple[str, ...] = ()
) -> Labelled:
    """Sort by class and path, and number the classes in alphabetical order.

    Raises
    ------
    DataError : fewer than two classes.
    """
    names = tuple(sorted(set(classes)))
    if len(names) < 2:
        fact = f"All images of {printable(root)} have one and the same class, {names[0]}."
        raise DataError(fact, "Give at least two classes: with one there is nothing to tell apart.")
    rows = sorted(rows, key=lambda row: (row.label, _below(row.path, root)))
    number = {name: k for k, name in enumerate(names)}
    groups, parts = tuple(row.group for row in rows), tuple(row.part for row in rows)
    return Labelled(
        x=Domain(printable(root.resolve().name), tuple(row.path for row in rows), given_or_none(groups), root),
        y=np.array([number[row.label] for row in rows], dtype=np.int64),
        task=Task(names),
        parts=given_or_none(parts),
        layout=layout,
        notes=notes,
    )


def given_or_none(values: tuple[str | None, ...]) -> tuple[str | None, ...] | None:
    """None where no image has a value: absent, not empty."""
    return values if any(value is not None for value in values) else None


def few(names: Sequence[str], *, most: int = 3) -> str:
    """The first names and how many more there are: ``"a, b, c and 4 more"``."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _below(path: Path, root: Path) -> str:
    return path.as_posix().removeprefix(f"{root.as_posix()}/")
