"""What a training towards another domain may see: the source's images with their labels, and the target's alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from headstart.backbones import Preprocessing
from headstart.data import Survey
from headstart.data.batches import Batches, Read
from headstart.data.domains import UnlabelledBatches
from headstart.runs.context import Prepared


@dataclass(frozen=True, eq=False)
class SourceImages:
    """What may be seen of the source.

    Attributes
    ----------
    read : positions → uint8 (m, size, size, 3), e.g. `Survey.pixels`.
    indices : positions of the training images, (n,).
    y : their classes, (n,), from 0 to k − 1.
    k : number of classes.
    keys : names of the images, (n,), on which their views depend.
    groups : what stays on one side when some are held back, (n,).
    """

    read: Read
    indices: np.ndarray
    y: np.ndarray
    k: int
    keys: Sequence[str]
    groups: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared, indices: np.ndarray) -> SourceImages:
        """Images at `indices` of data that were read and split, e.g. the training part's."""
        keys = [prepared.survey.ids[i] for i in indices]
        return cls(prepared.survey.pixels, indices, prepared.y[indices], prepared.k, keys, prepared.groups[indices])

    def batches(self, numbers: np.ndarray, of: Preprocessing, *, size: int, device: torch.device) -> Batches:
        """The images with these numbers (0 … n − 1), prepared for a network."""
        keys = [self.keys[i] for i in numbers]
        return Batches(self.read, partial(of.tensor, device=device), self.indices[numbers], self.y[numbers], size, keys)


@dataclass(frozen=True, eq=False)
class TargetImages:
    """What may be seen of the target: `read`, `indices` and `keys` as in `SourceImages`, and no labels."""

    read: Read
    indices: np.ndarray
    keys: Sequence[str]

    @classmethod
    def of(cls, survey: Survey, indices: np.ndarray) -> TargetImages:
        """Images at `indices` of those that were read."""
        return cls(survey.pixels, indices, [survey.ids[i] for i in indices])

    def batches(self, of: Preprocessing, *, size: int, device: torch.device) -> UnlabelledBatches:
        """All images, prepared for a network."""
        return UnlabelledBatches(self.read, partial(of.tensor, device=device), self.indices, size, self.keys)
