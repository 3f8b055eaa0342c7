"""A table of images: CSV or Parquet with the columns ``path, label[, split, group]``."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from headstart.errors import DataError, MissingExtraError
from headstart.problem.domain import Domain, Labelled, printable
from headstart.problem.rows import PARTS, Row, few, given_or_none, labelled
from headstart.problem.walk import reading

_NEEDED = ("path", "label")
_PARQUET = (".parquet", ".pq")
Columns = Mapping[str, list[str]]


def read_table(table: Path) -> Labelled:
    """Images and labels as a table names them; paths are relative to the table's folder.

    Raises
    ------
    DataError : not a table, columns or values missing, files that do not exist, unknown split.
    MissingExtraError : a Parquet table, and pyarrow is not installed.
    """
    columns = columns_of(table)
    absent = [name for name in _NEEDED if name not in columns]
    if absent:
        fact = f"{printable(table)} lacks the column {' and '.join(absent)}; it has {few(list(columns), most=8)}."
        raise DataError(fact, "The columns are path, label and, if wanted, split and group.")
    if not columns["path"]:
        raise DataError(f"{printable(table)} has no rows.", "Write one row an image: path,label.")
    refuse_gaps(table, columns, _NEEDED)
    rows = rows_of(table, columns)
    refuse_absent(table, rows)
    return labelled(rows, classes=columns["label"], root=table.parent, layout="table")


def table_has_labels(table: Path) -> bool:
    """Whether a table has the column of labels, and something in it."""
    return any(columns_of(table).get("label", []))


def images_of_table(table: Path) -> Domain:
    """The images that a table names, with their groups and without their labels; errors as in `read_table`."""
    columns = columns_of(table)
    if not columns.get("path"):
        fact = f"{printable(table)} has no column path with files in it."
        raise DataError(fact, "Write one row an image, with the column path and, if wanted, group.")
    refuse_gaps(table, columns, ("path",))
    rows = rows_of(table, columns)
    refuse_absent(table, rows)
    images, groups = tuple(row.path for row in rows), tuple(row.group for row in rows)
    return Domain(printable(table.resolve().stem), images, given_or_none(groups), table.parent)


def columns_of(table: Path) -> Columns:
    """Every column under its name in small letters, without spaces around its values.

    Raises
    ------
    DataError : not a table.
    MissingExtraError : a Parquet table, and pyarrow is not installed.
    """
    suffix = table.suffix.lower()
    if suffix not in (".csv", *_PARQUET):
        fact = f"{printable(table)} is neither a folder nor a table."
        raise DataError(fact, "Give a folder of class folders, or a .csv or .parquet table.")
    return _read_parquet(table) if suffix in _PARQUET else _read_csv(table)


def _read_csv(table: Path) -> Columns:
    try:
        with reading(table), table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            lines = [line for line in reader if line]
    except (UnicodeDecodeError, csv.Error) as error:
        fact = f"{printable(table)} is not a CSV table in UTF-8: {error}."
        raise DataError(fact, "Save it as CSV with commas, in UTF-8.") from error
    return {name: [line[k].strip() if k < len(line) else "" for line in lines] for k, name in enumerate(header)}


def _read_parquet(table: Path) -> Columns:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        fact = f"{printable(table)} is a Parquet table, and pyarrow is not installed."
        raise MissingExtraError(fact, "Run: pip install 'headstart[parquet]', or save the table as CSV.") from error
    try:
        with reading(table):
            read = parquet.ParquetFile(table).read().to_pydict()
    except ValueError as error:  # pyarrow's ArrowInvalid
        fact = f"{printable(table)} is not a Parquet table: {error}."
        raise DataError(fact, "Write it anew, or save it as CSV.") from error
    return {
        str(name).strip().lower(): ["" if value is None else str(value).strip() for value in values]
        for name, values in read.items()
    }


def refuse_gaps(table: Path, columns: Columns, needed: Sequence[str]) -> None:
    """DataError where a row has no value in a column that is needed."""
    for name in needed:
        gaps = [str(row) for row, value in enumerate(columns[name], 1) if not value]
        if gaps:
            fact = f"{printable(table)} has no {name} in row {few(gaps)} (below the header)."
            raise DataError(fact, "Fill them in, or take the rows out.")


def rows_of(table: Path, columns: Columns) -> list[Row]:
    """The images with label, part and group, as far as there are such columns; DataError on an unknown part."""
    empty = [""] * len(columns["path"])
    splits = [value.lower() for value in columns.get("split", empty)]
    unknown = sorted({value for value in splits if value and value not in PARTS})
    if unknown:
        fact = f"{printable(table)} has an unknown split: {few(unknown)}."
        raise DataError(fact, "A split is train, val or test, or empty where headstart shall choose.")
    return [
        Row(table.parent / path, label, PARTS.get(split), group or None)
        for path, label, split, group in zip(
            columns["path"], columns.get("label", empty), splits, columns.get("group", empty), strict=True
        )
    ]


def refuse_absent(table: Path, rows: Sequence[Row]) -> None:
    """DataError where a file does not exist."""
    with reading(table.parent):
        absent = [printable(row.path) for row in rows if not row.path.exists()]
    if absent:
        fact = f"{printable(table)} names {len(absent)} of {len(rows)} files that do not exist: {few(absent)}."
        raise DataError(fact, f"Paths are relative to the table's folder, {printable(table.parent)}.")
