"""Ordered frames: images whose order in time means something, in one sequence or in several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import Domain, printable
from headstart.problem.read import image_array
from headstart.problem.walk import IMAGE_SUFFIXES, listing, reading

FEWEST = 3
"""Frames of a sequence without which nothing can be learned from their order."""
_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True, eq=False)
class Sequences:
    """Frames in order.

    Attributes
    ----------
    x : n frames, those of a sequence one after the other.
    sequence : int64 (n,), which sequence a frame is of.
    time : int64 (n,), its place there: consecutive frames differ by 1, and more across a gap.
    names : of the sequences.
    notes : sentences on gaps, and on what was left out.
    """

    x: Domain
    sequence: np.ndarray
    time: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def windows(self, width: int, *, usable: np.ndarray | None = None) -> np.ndarray:
        """Numbers of frames (m, width) that follow one another without a gap; all of them `usable` (n,), if given."""
        n = len(self)
        starts = np.arange(max(0, n - width + 1))
        rows = starts[:, None] + np.arange(width)
        whole = (self.sequence[rows] == self.sequence[rows[:, :1]]).all(1)
        whole &= (np.diff(self.time[rows], axis=1) == 1).all(1)
        if usable is not None:
            whole &= usable[rows].all(1)
        found: np.ndarray = rows[whole]
        return found


def read_sequences(path: Path | str) -> Sequences:
    """A folder of frames, or of folders of frames, each a sequence; no frame is opened.

    Frames are ordered by the last number in their names, so that ``frame_9`` comes before ``frame_10``; where a name
    has none, by name. A number that is skipped is a gap, measured in the steps that the others are apart.

    Raises
    ------
    DataError : there are no frames, two of a sequence have the same number, or no sequence has three of them.
    """
    folder = Path(path).expanduser()
    with reading(folder):
        is_folder = folder.is_dir()
    if not is_folder:
        raise DataError(f"There is no folder of frames at {printable(folder)}.", "Name a folder, or a video file.")
    inner, files = listing(folder)
    found = [(printable(one.name), _images(listing(one)[1])) for one in inner]
    found = [(folder.name, _images(files)), *found]
    parts = [_ordered(name, frames) for name, frames in found if frames]
    return _together(printable(folder.name), parts, root=folder)


def sequences_of_arrays(frames: Sequence[np.ndarray], *, names: Sequence[str] = ()) -> Sequences:
    """Sequences from memory: each uint8 (n, h, w) or (n, h, w, c), all of one shape but for n.

    Raises
    ------
    DataError : another shape or type, sizes that differ, or no sequence has three frames.
    """
    arrays = [image_array(one) for one in frames]
    shapes = {one.shape[1:] for one in arrays}
    if len(shapes) > 1:
        raise DataError(f"Sequences have frames of different shapes: {sorted(shapes)}.", "Resize them to one.")
    called = list(names) or [f"sequence {number}" for number in range(len(arrays))]
    lengths = [len(one) for one in arrays]
    _refuse_short(called, lengths)
    return Sequences(
        Domain("frames", np.concatenate(arrays)),
        np.repeat(np.arange(len(arrays)), lengths),
        np.concatenate([np.arange(length) for length in lengths]),
        tuple(called),
        tuple(note for name, length in zip(called, lengths, strict=True) for note in _short(name, length)),
    )


def _images(files: Sequence[Path]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]


def _ordered(name: str, files: Sequence[Path]) -> tuple[str, list[Path], np.ndarray, list[str]]:
    """Name, files in order, their times, notes."""
    matches = [_LAST_NUMBER.search(file.stem) for file in files]
    if not all(matches):
        lone = next(file for file, match in zip(files, matches, strict=True) if match is None)
        note = f"{name}: {printable(lone.name)} has no number in its name, so frames are taken in the order of names."
        return name, list(files), np.arange(len(files)), [note]
    found = [int(match[1]) for match in matches if match]
    least = min(found)
    if max(found) - least >= 2**62:
        raise DataError(f"The numbers of {name} are too far apart to be those of frames.", "Number them from 0.")
    numbers = np.array([one - least for one in found], dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    files, numbers = [files[i] for i in order], numbers[order]
    steps = np.diff(numbers)
    if (twice := np.flatnonzero(steps == 0)).size:
        first, second = (printable(files[twice[0] + i].name) for i in (0, 1))
        raise DataError(f"{first} and {second} of {name} have the same number.", "Give every frame one of its own.")
    if not len(steps):
        return name, files, numbers * 0, []
    usual = max(1, int(np.median(steps)))
    apart = np.maximum(1, np.rint(steps / usual)).astype(np.int64)
    notes = []
    if (gaps := np.flatnonzero(apart > 1)).size:
        after = printable(files[gaps[0]].name)
        many = f"{len(gaps)} gaps, the first" if len(gaps) > 1 else "a gap"
        notes.append(f"{name} has {many} after {after}: no frame is paired with another across it.")
    return name, files, np.concatenate([[0], np.cumsum(apart)]), notes


def _together(name: str, parts: Sequence[tuple[str, list[Path], np.ndarray, list[str]]], *, root: Path) -> Sequences:
    if not parts:
        raise DataError(f"There are no frames in {printable(root)}.", "Name a folder of images, or a video file.")
    _refuse_short([one[0] for one in parts], [len(one[1]) for one in parts])
    files = tuple(file for one in parts for file in one[1])
    lengths = [len(one[1]) for one in parts]
    return Sequences(
        Domain(name, files, root=root),
        np.repeat(np.arange(len(parts)), lengths),
        np.concatenate([one[2] for one in parts]),
        tuple(one[0] for one in parts),
        tuple(note for one in parts for note in [*one[3], *_short(one[0], len(one[1]))]),
    )


def _short(name: str, length: int) -> list[str]:
    many = f"{length} frame{'s' * (length != 1)}"
    return [f"{name} has {many}: nothing is learned from so short a sequence."] if length < FEWEST else []


def _refuse_short(names: Sequence[str], lengths: Sequence[int]) -> None:
    if max(lengths, default=0) < FEWEST:
        fact = (
            f"The longest sequence, {names[int(np.argmax(lengths))] if names else '–'}, has {max(lengths, default=0)}"
        )
        raise DataError(
            f"{fact} frame(s).", f"Give at least {FEWEST} frames in order; for single images choose another method."
        )
