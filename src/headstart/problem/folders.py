"""Class folders, ``DIR/<class>/<image>``, and split folders, ``DIR/<part>/<class>/<image>``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from headstart.errors import DataError
from headstart.problem.domain import Labelled, printable
from headstart.problem.rows import PARTS, Row, few, labelled
from headstart.problem.walk import IMAGE_SUFFIXES, files_under, listing

_LAYOUTS = "Lay the images out as FOLDER/<class>/<image>, or give a CSV table with the columns path and label."


def read_folders(root: Path) -> Labelled:
    """Images labelled by the folder that they lie in; every file in a class folder is a candidate.

    Raises
    ------
    DataError : nothing there, no class folders, one class, or part folders mixed with others.
    """
    folders, files = listing(root)
    if _is_split(root, folders):
        return _read_split(root, folders, files)
    _refuse_without_classes(root, folders, files)
    rows = [row for folder in folders for row in _class_rows(folder)]
    classes = [printable(folder.name) for folder in folders]
    _refuse_empty(root, rows)
    if len(classes) == 1:
        raise DataError(f"{printable(root)} holds only one class folder, {classes[0]}.", _one_class_remedy(files))
    return labelled(rows, classes=classes, root=root, layout="folders", notes=_beside(files))


def _read_split(root: Path, folders: list[Path], files: list[Path]) -> Labelled:
    rows: list[Row] = []
    classes: set[str] = set()
    for folder in folders:
        inner, beside = listing(folder)
        _refuse_without_classes(folder, inner, beside)
        files = files + beside
        classes |= {printable(each.name) for each in inner}
        rows += [row for each in inner for row in _class_rows(each, PARTS[folder.name.lower()])]
    _refuse_empty(root, rows)
    return labelled(rows, classes=classes, root=root, layout="split folders", notes=_beside(files))


def _class_rows(folder: Path, part: str | None = None) -> list[Row]:
    return [Row(path, printable(folder.name), part) for path in files_under(folder)]


def _is_split(root: Path, folders: list[Path]) -> bool:
    """Whether the folders are parts. ``train`` among other things may be a class: a railway train."""
    parts = [folder.name for folder in folders if folder.name.lower() in PARTS]
    others = [folder.name for folder in folders if folder.name.lower() not in PARTS]
    named = {PARTS[name.lower()] for name in parts}
    if others:
        if "train" in named and len(named) > 1:
            fact = f"{printable(root)} holds part folders ({', '.join(parts)}) beside others ({few(others)})."
            raise DataError(fact, "Move the others elsewhere: a folder holds either parts or classes.")
        return False
    if named and "train" not in named:
        fact = f"{printable(root)} holds {', '.join(parts)} but no train folder."
        raise DataError(fact, "Put the training images into train/<class>/.")
    return bool(named)


def _refuse_without_classes(root: Path, folders: list[Path], files: list[Path]) -> None:
    if folders:
        return
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in files):
        raise DataError(f"{printable(root)} holds images but no class folders.", _LAYOUTS)
    raise DataError(f"{printable(root)} is empty: it holds no class folders.", _LAYOUTS)


def _refuse_empty(root: Path, rows: list[Row]) -> None:
    if not rows:
        raise DataError(f"{printable(root)} holds folders but not one file in them.", _LAYOUTS)


def _one_class_remedy(files: list[Path]) -> str:
    tables = [path.name for path in files if path.suffix.lower() in (".csv", ".parquet")]
    if tables:
        return f"If {printable(tables[0])} is the table of labels, give that file instead of its folder."
    return "Give at least two classes, each in a folder of its own."


def _beside(files: Iterable[Path]) -> tuple[str, ...]:
    names = [printable(path.name) for path in files]
    return (f"Beside the class folders, and left out: {few(names)}.",) if names else ()
