"""What every stage of a run needs: where it writes, what was asked, whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import Preprocessing
from headstart.data import Duplicates, Split, Survey
from headstart.data.batches import Batches
from headstart.errors import RunError
from headstart.problem import Labelled
from headstart.records import Journal, Record
from headstart.records.arrays import read_arrays, write_arrays
from headstart.runs.options import Options


@dataclass(frozen=True)
class Context:
    """A run in progress.

    Attributes
    ----------
    folder : the run's folder; `journal` is its ``records.jsonl``.
    progress : told (stage, done, total).
    on_record : told every record when it is measured, and again when a run is resumed.
    """

    folder: Path
    journal: Journal
    options: Options
    cache: Path
    device: torch.device
    progress: Callable[[str, int, int], None]
    on_record: Callable[[Record], None]

    def note(self, record: Record) -> None:
        """Write a record down, and tell whoever listens."""
        self.journal.append(record)
        self.on_record(record)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The data, read and split.

    Attributes
    ----------
    groups : int64 (n,), what stays on one side of every split.
    fingerprint : hash of all images and labels.
    """

    labelled: Labelled
    survey: Survey
    duplicates: Duplicates
    groups: np.ndarray
    split: Split
    fingerprint: str

    @property
    def y(self) -> np.ndarray:
        """Classes of all images, (n,)."""
        return self.labelled.y

    @property
    def k(self) -> int:
        """Number of classes."""
        return len(self.labelled.task.classes)

    def ids(self, *parts: str) -> list[str]:
        """Content ids of the images of these parts."""
        return [self.survey.ids[i] for part in parts for i in getattr(self.split, part).tolist()]

    def batches(self, indices: np.ndarray, preprocessing: Preprocessing, *, size: int, device: torch.device) -> Batches:
        """Images at `indices` with their labels, prepared for a network."""
        prepare = partial(preprocessing.tensor, device=device)
        keys = [self.survey.ids[i] for i in indices]
        return Batches(self.survey.pixels, prepare, indices, self.y[indices], size, keys)


def keep_predictions(path: Path, indices: np.ndarray, probabilities: np.ndarray) -> None:
    """Write probabilities (m, k) of the images at `indices` (m,)."""
    write_arrays(path, {"indices": indices.astype("i8"), "probabilities": probabilities.astype("f4")})


def kept_predictions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `keep_predictions`."""
    arrays = kept_arrays(path)
    return arrays["indices"], arrays["probabilities"]


def kept_arrays(path: Path) -> dict[str, np.ndarray]:
    """What a finished unit of work left for a later one.

    Raises
    ------
    RunError : the file is missing, cut off or altered.
    """
    found = read_arrays(path)
    if found is None:
        raise RunError(f"{path} is missing or damaged, so this run cannot go on.", "Start it anew in another folder.")
    return found[0]
