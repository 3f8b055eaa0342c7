"""Where the camera was: a table of poses or of actions beside ordered frames."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import printable
from headstart.problem.sequences import Sequences
from headstart.problem.walk import reading

PLACES = ("x", "y", "z")
ANGLES = ("yaw", "pitch", "roll")
REMEDY = "Write frame,x,y,z,yaw,pitch,roll (any of them, angles in degrees), or frame,action."


@dataclass(frozen=True, eq=False)
class Motions:
    """How the camera moved from one frame to another.

    Attributes
    ----------
    axes : names: forward, sideways, up (in units of the table), yaw, pitch, roll (degrees); or ``action``.
    values : (m, a) of m pairs; of actions their numbers.
    actions : their names, where the table gave actions.
    """

    axes: tuple[str, ...]
    values: np.ndarray
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Poses:
    """A row for every frame: ``columns`` {name: float (n,)}, or ``actions`` int (n,) with their names."""

    columns: Mapping[str, np.ndarray]
    actions: np.ndarray | None = None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def between(self, pairs: np.ndarray) -> Motions:
        """Motions from frame to frame of pairs (m, 2), as the camera of the first sees them.

        A shift is turned by minus the yaw of the first frame: forward is where it looks. Angles are the shortest way
        round. An action is the one that stands beside the first frame: what was done there.
        """
        first, second = pairs[:, 0], pairs[:, 1]
        if self.actions is not None:
            return Motions(("action",), self.actions[first][:, None].astype(float), self.names)
        found: dict[str, np.ndarray] = {}
        moved = {name: self.columns[name][second] - self.columns[name][first] for name in self.columns}
        if {"x", "y"} & moved.keys():
            yaw = np.radians(self.columns["yaw"][first]) if "yaw" in moved else np.zeros(len(pairs))
            east, north = (moved.get(name, np.zeros(len(pairs))) for name in ("x", "y"))
            found["forward"] = east * np.cos(yaw) + north * np.sin(yaw)
            found["sideways"] = north * np.cos(yaw) - east * np.sin(yaw)
        if "z" in moved:
            found["up"] = moved["z"]
        for name in ANGLES:
            if name in moved:
                found[name] = (moved[name] + 180) % 360 - 180
        return Motions(tuple(found), np.stack(list(found.values()), axis=1))


def read_poses(table: Path | str, frames: Sequences) -> Poses:
    """Poses of all frames or, where there are none, actions; ``frame`` holds paths below the folder, or file names.

    Poses say more than actions do, so that of a table with both the actions are left out, and a note says so.

    Raises
    ------
    DataError : no such table or columns, a value that is no number, a frame without a row or with two, more rows than
        frames where these go by number over several sequences.
    """
    path = Path(table).expanduser()
    try:
        with reading(path):
            text = path.read_text(encoding="utf-8-sig")
        lines = list(csv.DictReader(text.splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{printable(path)} is no CSV table: {error}", REMEDY) from error
    columns = [name for name in (lines[0] if lines else {}) if name]
    known = [name for name in (*PLACES, *ANGLES) if name in columns]
    if "frame" not in columns or not (known or "action" in columns):
        raise DataError(f"{printable(path)} has the columns {', '.join(columns) or '(none)'}.", REMEDY)
    rows, left_over = _rows_of(frames, lines, path)
    name = printable(path.name)
    notes = [f"{left_over} row(s) of {name} name no frame and are not used."] if left_over else []
    if known and "action" in columns:
        notes.append(f"{name} has poses and actions: the poses ({', '.join(known)}) are used, and the actions are not.")
    if not known:
        taken = [_action(lines[row]["action"], path, row) for row in rows]
        names = sorted(set(taken))
        return Poses({}, np.array([names.index(one) for one in taken]), tuple(names), tuple(notes))
    return Poses(
        {name: np.array([_number(lines[row][name], path, row) for row in rows]) for name in known}, notes=tuple(notes)
    )


def _rows_of(frames: Sequences, lines: list[dict[str, str]], path: Path) -> tuple[list[int], int]:
    """The line of every frame, and how many lines are nobody's."""
    wanted = [frames.x.label_of(i) for i in range(len(frames))]
    short = [Path(name).name for name in wanted]
    if isinstance(frames.x.images, np.ndarray):  # frames of a video or of an array have a number and no name
        short = [str(i) for i in range(len(frames))]
    unique = len(set(short)) == len(short)
    by_name: dict[str, int] = {}
    for number, line in enumerate(lines):
        key = line["frame"] or ""
        if key in by_name:
            raise DataError(f"{printable(path)} has two rows for {key}, lines {by_name[key] + 2} and {number + 2}.", "")
        by_name[key] = number
    rows = []
    for name, last in zip(wanted, short, strict=True):
        found = by_name.get(name, by_name.get(last) if unique else None)
        if found is None:
            missing = sum(1 for a, b in zip(wanted, short, strict=True) if a not in by_name and b not in by_name)
            fact = f"{printable(path)} has no row for {name}; {missing} of {len(wanted)} frames are without one."
            raise DataError(fact, "Give every frame a row, under its path below the folder.")
        rows.append(found)
    left_over = len(lines) - len(set(rows))
    if left_over and isinstance(frames.x.images, np.ndarray) and len(frames.names) > 1:
        # A video that ends early, without a word, gives all frames of those after it the rows of others.
        fact = f"{printable(path)} has {left_over} row(s) more than there are frames in {len(frames.names)} sequences."
        raise DataError(fact, "Frames are numbered over all of them: check that each is whole, and drop other rows.")
    return rows, left_over


def _action(text: str | None, path: Path, row: int) -> str:
    if not (text or "").strip():
        raise DataError(f"{printable(path)}, line {row + 2}, names no action.", REMEDY)
    return str(text).strip()


def _number(text: str | None, path: Path, row: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{printable(path)}, line {row + 2}: {text!r} is no number.", REMEDY)
    return value
