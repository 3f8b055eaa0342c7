"""One domain with several tasks: a table with a column of labels for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.errors import DataError, OptionError
from headstart.problem.domain import Domain, Task, printable
from headstart.problem.rows import few, given_or_none
from headstart.problem.table import Columns, columns_of, refuse_absent, refuse_gaps, rows_of
from headstart.problem.walk import reading

UNLABELLED = -1
"""Stands where an image has no label of a task."""
_NO_LABELS = ("path", "split", "group")


@dataclass(frozen=True, eq=False)
class Tasks:
    """n images of one domain with the labels of m tasks; every image has a label of one of them at least.

    Attributes
    ----------
    names, spaces : of the tasks, in the order in which they were asked for.
    y : int64 (n, m), indices into the classes of each task, or `UNLABELLED`.
    parts : as in `Labelled`.
    notes : sentences on what was left out.
    """

    x: Domain
    names: tuple[str, ...]
    spaces: tuple[Task, ...]
    y: np.ndarray
    parts: tuple[str | None, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def read_tasks(table: Path | str, labels: Sequence[str]) -> Tasks:
    r"""The images of a table with the labels of several columns; no image is opened.

    A cell that is empty means that the image has no label of that task. Rows without any label are left out.

    Parameters
    ----------
    table : CSV or Parquet with the columns ``path[, split, group]`` and one for each task.
    labels : names of these, two or more; case does not matter.

    Raises
    ------
    OptionError : one column alone, or the same one twice.
    DataError : not a table, no such column, a task of one class, no row, files that do not exist.
    MissingExtraError : a Parquet table, and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("1.png", "2.png", "3.png"):
    ...     (root / name).touch()
    >>> _ = (root / "table.csv").write_text("path,digit,even\n1.png,1,no\n2.png,2,yes\n3.png,3,\n")
    >>> read_tasks(root / "table.csv", ["digit", "even"]).y.tolist()
    [[0, 0], [1, 1], [2, -1]]
    """
    table = Path(table).expanduser()
    names = [name.strip().lower() for name in labels]
    _refuse_names(table, names)
    with reading(table):
        is_folder, is_there = table.is_dir(), table.exists()
    if not is_there:
        raise DataError(f"There is no table at {printable(table)}.", "Check the path.")
    if is_folder:
        fact = f"{printable(table)} is a folder, which gives each image one label."
        raise DataError(fact, "Write a table with the column path and one column for each task.")
    columns = columns_of(table)
    _refuse_columns(table, columns, names)
    rows = rows_of(table, columns)
    refuse_absent(table, rows)
    values = np.array([columns[name] for name in names], dtype=object).T
    labelled = [i for i in range(len(rows)) if any(values[i])]
    kept = sorted(labelled, key=lambda i: rows[i].path.as_posix())
    spaces = tuple(_space(table, name, values[:, t]) for t, name in enumerate(names))
    numbers = [{"": UNLABELLED} | {c: k for k, c in enumerate(space.classes)} for space in spaces]
    groups, parts = tuple(rows[i].group for i in kept), tuple(rows[i].part for i in kept)
    left = len(rows) - len(kept)
    return Tasks(
        Domain(printable(table.resolve().stem), tuple(rows[i].path for i in kept), given_or_none(groups), table.parent),
        tuple(names),
        spaces,
        np.array([[numbers[t][label] for t, label in enumerate(values[i])] for i in kept], dtype=np.int64),
        given_or_none(parts),
        (f"{left} row{'s' * (left > 1)} without any label {'were' if left > 1 else 'was'} left out.",) if left else (),
    )


def _refuse_names(table: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        fact = f"The column {twice[0]} of {printable(table)} is named twice."
        raise OptionError(fact, "Name two or more different columns, one for each task.")
    if len(names) < 2:
        asked = f"One column, {names[0]}," if names else "No column"
        fact = f"{asked} of {printable(table)} is named: that is {'one task' if names else 'no task'}."
        raise OptionError(fact, "Name two or more with --label; for one task, call it label and use headstart fit.")


def _refuse_columns(table: Path, columns: Columns, names: Sequence[str]) -> None:
    offered = [name for name in columns if name and name not in _NO_LABELS]
    has = f"it has {few(offered, most=8)}" if offered else "it has none"
    absent = [name for name in names if name not in offered]
    if absent:
        fact = f"{printable(table)} has no column of labels named {few(absent)}; {has}."
        raise DataError(fact, "Name columns of the table with --label.")
    if not columns.get("path"):
        fact = f"{printable(table)} has no images: no column path with files in it."
        raise DataError(fact, "Write one row an image, with the column path and one column for each task.")
    refuse_gaps(table, columns, ("path",))


def _space(table: Path, name: str, values: np.ndarray) -> Task:
    classes = tuple(sorted({str(value) for value in values if value}))
    if len(classes) < 2:
        found = f"one class, {classes[0]}" if classes else "no label"
        fact = f"The column {name} of {printable(table)} holds {found}."
        raise DataError(fact, "Give at least two classes, or leave this --label out.")
    return Task(classes)
