"""The folder of a run: opened for one question, and for no other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.errors import DataError, RunError
from headstart.problem import Labelled
from headstart.records import Journal
from headstart.records.files import storage_errors

UNPLANNED = ("records.jsonl", "split.json", "pretrained")
"""What a run may have written before its plan: the last one holds runs of their own, each with its question."""


def refuse_inside(folder: Path, labelled: Labelled) -> None:
    """A run among the classes would be read as one of them when it is resumed.

    Raises
    ------
    RunError : it lies there.
    """
    if labelled.layout != "table" and labelled.root and folder.resolve().is_relative_to(labelled.root.resolve()):
        raise RunError(f"{folder} lies inside the folder of images.", "Choose an --out outside of it.")


def refuse_within(folder: Path, *folders: Path | str | None) -> None:
    """As `refuse_inside`, of whatever is read from these folders; what is no folder is passed over.

    Raises
    ------
    RunError : it lies in one of them.
    """
    for one in folders:
        path = Path(one).expanduser().resolve() if one else None
        if path is not None and path.is_dir() and folder.resolve().is_relative_to(path):
            raise RunError(f"{folder} lies inside the folder of images {path}.", "Choose an --out outside of it.")


def refuse_nested(source: Path, target: Path) -> None:
    """One domain in both places, or one inside the other, would be compared with, or adapted to, itself.

    Raises
    ------
    DataError : they are the same, or one holds the other.
    """
    one, other = (path.expanduser().resolve() for path in (source, target))
    if one == other:
        raise DataError(f"Source and target are the same: {one}.", "Name two different folders or tables.")
    for inner, outer in ((one, other), (other, one)):
        if inner.is_relative_to(outer) and outer.is_dir() and inner.is_dir():
            raise DataError(f"{inner} lies inside {outer}.", "Name two folders of which neither holds the other.")


def open_journal(folder: Path, question: Mapping[str, Any], *, what: str = "plan") -> Journal:
    """The journal of `folder`, if it is new, empty, or holds this very question.

    Parameters
    ----------
    question : what must agree with the ``options`` of the record ``plan`` there.
    what : the kind of that record: each command has its own.

    Raises
    ------
    RunError : the folder holds something else.
    StorageError : it cannot be made.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "records.jsonl")
    plan = journal.get("plan")
    if plan is None:
        others = [path.name for path in folder.iterdir() if path.name not in UNPLANNED]
        if others:
            fact = f"{folder} is not empty ({', '.join(sorted(others)[:3])}) and holds no run."
            raise RunError(fact, "Choose another --out.")
        return journal
    if plan.what != what:
        raise RunError(f"{folder} holds a run of another command.", "Choose another --out.")
    if what == "plan" and "repeats" not in plan.detail:
        raise RunError(f"{folder} holds a run of an older version of headstart.", "Choose another --out.")
    before = plan.detail["options"]
    changed = [key for key in {**question, **before} if before.get(key) != question.get(key)]
    if changed:
        listed = ", ".join(f"{key}: {before.get(key)} there, {question.get(key)} now" for key in changed)
        raise RunError(f"{folder} holds another run ({listed}).", "Choose another --out, or repeat that run's options.")
    return journal
