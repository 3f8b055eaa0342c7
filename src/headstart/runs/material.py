"""What a surrogate task learns from: images, labelled ones, or frames in order, each read once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data import Survey, survey
from headstart.errors import DataError
from headstart.problem import (
    Domain,
    Poses,
    Sequences,
    labelled_arrays,
    read_labelled,
    read_poses,
    read_sequences,
    read_unlabelled,
    sequences_of_arrays,
)
from headstart.problem.read import image_array
from headstart.problem.walk import reading
from headstart.runs.footage import Broken, decoded, videos_at
from headstart.runs.options import Pretraining
from headstart.strategies import SurrogateTask

Data = Path | str | np.ndarray | Iterable[np.ndarray] | tuple[np.ndarray, Sequence[object] | np.ndarray]
Progress = Callable[[str, int, int], None]
FEWEST = 8
"""Images without which nothing is worth learning from."""


@dataclass(frozen=True, eq=False)
class Material:
    """Images as they were read.

    Attributes
    ----------
    looked : n images.
    usable : bool (n,): not broken, and not among those that are kept out.
    classes, y : of labelled ones, names and int64 (n,).
    frames, poses : where the order of images, and the camera's place, is known.
    broken : images and videos that cannot be used.
    notes : sentences on what was left out.
    """

    looked: Survey
    usable: np.ndarray
    classes: tuple[str, ...] = ()
    y: np.ndarray | None = None
    frames: Sequences | None = None
    poses: Poses | None = None
    broken: Broken = ()
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of all that is learned from: images, which are usable, labels, order in time, the camera's poses."""
        parts = [self.usable]
        parts += [] if self.y is None else [self.y]
        parts += [self.frames.sequence, self.frames.time] if self.frames else []
        if self.poses:
            given = [*self.poses.columns.values(), *([] if self.poses.actions is None else [self.poses.actions])]
            parts += [np.round(1e6 * one) for one in given]
        return self.looked.fingerprint(np.concatenate(parts))


def read_material(
    data: Data,
    row: SurrogateTask,
    options: Pretraining,
    *,
    side: int,
    cache: Path,
    progress: Progress,
    without: Collection[str] = (),
) -> Material:
    """Read what `row` needs.

    Parameters
    ----------
    side : of the squares that images are kept as.
    without : content ids of images that may not be learned from.

    Raises
    ------
    DataError : there is nothing, too little, or not what the method needs.
    """
    frames: Sequences | None = None
    poses, y = None, None
    classes: tuple[str, ...] = ()
    broken: Broken = ()
    notes: list[str] = []
    if row.needs == "labels":
        labelled = labelled_arrays(*data) if isinstance(data, tuple) else read_labelled(_path(data, row))
        domain, y, classes = labelled.x, labelled.y, labelled.task.classes
        notes += labelled.notes
    elif row.needs == "frames" or (row.needs == "motion" and options.poses):
        frames, broken, found = _frames(data, side=side, options=options, progress=progress)
        domain = frames.x
        notes += [*frames.notes, *found]
        if options.poses:
            poses = read_poses(options.poses, frames)
            notes += poses.notes
    else:
        domain, broken, found = _images(data, side=side, options=options, progress=progress)
        notes += found
    looked = survey(domain, side, cache=cache, max_pixels=options.max_pixels, progress=progress)
    kept = set(without)
    usable = np.array([bool(key) and key not in kept for key in looked.ids])
    out = sum(1 for key in looked.ids if key in kept)
    if out:
        notes.append(f"{out} image(s) are left out, since the network is watched on them.")
    broken += tuple((domain.label_of(i), reason) for i, reason in looked.broken)
    if broken:
        name, reason = broken[0]
        notes.append(f"{len(broken)} file(s) cannot be used; the first is {name}: {reason}.")
    if usable.sum() < FEWEST:
        fact = f"There are {usable.sum()} images to learn from."
        raise DataError(fact, f"Give at least {FEWEST}; a few hundred are needed to learn anything.")
    return Material(looked, usable, classes, y, frames, poses, broken, tuple(notes))


def _path(data: Data, row: SurrogateTask) -> Path:
    if not isinstance(data, str | Path):
        raise DataError(f"{row.name} learns from labels, and there are none.", "Give a pair (images, labels).")
    return Path(data).expanduser()


def _frames(
    data: Data, *, side: int, options: Pretraining, progress: Progress
) -> tuple[Sequences, Broken, tuple[str, ...]]:
    """Frames in order, files that are broken already, and notes on these."""
    if not isinstance(data, str | Path):
        return sequences_of_arrays(arrays_of(data)), (), ()
    path = Path(data).expanduser()
    if videos := videos_at(path):
        return _decoded(videos, side=side, options=options, progress=progress)
    return read_sequences(path), (), ()


def _decoded(
    videos: list[Path], *, side: int, options: Pretraining, progress: Progress
) -> tuple[Sequences, Broken, tuple[str, ...]]:
    every, most = options.every, options.max_pixels
    return decoded(videos, side=side, every=every, max_pixels=most, progress=progress, numbered=bool(options.poses))


def _images(
    data: Data, *, side: int, options: Pretraining, progress: Progress
) -> tuple[Domain, Broken, tuple[str, ...]]:
    """Images, files that are broken already, and notes on these."""
    if not isinstance(data, str | Path):
        return Domain("images", _stacked(data)), (), ()
    path = Path(data).expanduser()
    if videos := videos_at(path):
        found, broken, notes = _decoded(videos, side=side, options=options, progress=progress)
        return found.x, broken, notes
    with reading(path):
        is_file = path.is_file()
    return (read_labelled(path).x if is_file else read_unlabelled(path).x), (), ()


def _stacked(data: np.ndarray | Iterable[Any]) -> np.ndarray:
    arrays = [image_array(one) for one in arrays_of(data)]
    _refuse_sizes(one.shape[1:] for one in arrays)
    return np.concatenate(arrays)


def arrays_of(data: np.ndarray | Iterable[Any]) -> list[np.ndarray]:
    """Images from memory: one array, or what a list or a generator gives, (n, h, w) or (n, h, w, c) each.

    Single images, (h, w) or (h, w, c), are put together: as frames they are one sequence.
    """
    arrays = [data] if isinstance(data, np.ndarray) else [np.asarray(one) for one in data]
    if not arrays:
        raise DataError("There are no images.", "Give uint8 (n, h, w) or (n, h, w, c).")
    if len(arrays) > 1 and all(one.ndim == 2 or (one.ndim == 3 and one.shape[2] in (1, 3, 4)) for one in arrays):
        _refuse_sizes(one.shape for one in arrays)
        return [np.stack(arrays)]
    return arrays


def _refuse_sizes(shapes: Iterable[tuple[int, ...]]) -> None:
    different = set(shapes)
    if len(different) > 1:
        raise DataError(f"Images have different shapes: {sorted(different)}.", "Resize them to one.")
