"""A network watched on labelled images: a ridge on its features at every cut, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import Backbone
from headstart.data import folds
from headstart.errors import DataError
from headstart.evidence import Difference, Interval, interval, paired
from headstart.problem import Labelled, read_labelled
from headstart.runs.context import Context, Prepared
from headstart.runs.preparing import read
from headstart.shallow import evenly, fit_probe, screen

FOLDS = 5
BATCH = 64
ALL = "all cuts"
"""What is read from all cuts together, as a frozen network is in `fit`."""
MOST_FITTED, MOST_JUDGED = 2000, 1000
"""Images that a head is fitted to, and judged on, at most."""
Named = dict[str, np.ndarray]
Features = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class OnlineProbe:
    """A linear probe whose images are fixed: of one network it always gives the same number.

    Attributes
    ----------
    prepared : labelled images, read and split.
    fitted, judged : images of the training and validation part that heads are fitted to, and of the test part. Nothing
        is chosen by the test part.
    """

    prepared: Prepared
    fitted: np.ndarray
    judged: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared, *, most: int | None = MOST_FITTED) -> OnlineProbe:
        """The probe on some of these images, fitted to `most` of them, or to all."""
        split = prepared.split
        learned = np.sort(np.concatenate([split.train, split.val]))
        return cls(prepared, evenly(learned, prepared.y, most), evenly(split.test, prepared.y, MOST_JUDGED))

    @property
    def kept_out(self) -> set[str]:
        """Content ids of all images of the test part: nothing may be learned from them."""
        return {self.prepared.survey.ids[i] for i in self.prepared.split.test}

    def features(self, backbone: Backbone, cuts: Sequence[str] = ("top",), *, joined: bool = False) -> Features:
        """Of all images that are fitted to, and then of the judged ones, by cut; with `joined`, one more: `ALL`."""
        rows = np.concatenate([self.fitted, self.judged])
        z = pooled(backbone, self.prepared.survey.pixels, rows, cuts)
        return z | ({ALL: np.concatenate([z[cut] for cut in cuts], axis=1)} if joined else {})

    def named(self, z: Features, *, rows: np.ndarray | None = None) -> Named:
        """By cut, the classes that a ridge on these features names the judged images as, (m,).

        The penalty is chosen out of fold on the images that it is fitted to.

        Parameters
        ----------
        z : from `features`.
        rows : numbers into `fitted` of those that it is fitted to; all by default.
        """
        rows = np.arange(len(self.fitted)) if rows is None else rows
        learned = {cut: both[rows] for cut, both in z.items()}
        there, y = np.unique(self.prepared.y[self.fitted[rows]], return_inverse=True)
        found = {}
        for one in screen(learned, y, self.parts(rows)):
            (cut,) = one.cuts
            found[cut] = there[fit_probe(one, learned, y).predict(z[cut][len(self.fitted) :])]
        return found

    def parts(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Folds of some of the images that heads are fitted to; groups stay whole."""
        indices = self.fitted[rows]
        groups = self.prepared.groups[indices]
        return folds(self.prepared.y[indices], groups, min(FOLDS, len(np.unique(groups))), seed=0)

    def value(self, named: np.ndarray) -> Interval:
        """Accuracy on the judged images, with its interval."""
        return interval(self.prepared.y[self.judged], named, self.prepared.groups[self.judged])

    def difference(self, after: np.ndarray, before: np.ndarray) -> Difference:
        """Accuracy after minus before, paired over the judged images."""
        return paired(self.prepared.y[self.judged], after, before, self.prepared.groups[self.judged])


def online_probe(
    context: Context, probe: Path | str | Labelled | None, *, most: int | None = MOST_FITTED
) -> OnlineProbe | None:
    """Labelled images to watch a network on, where there are some.

    Raises
    ------
    DataError : too few, so that none are left to judge on.
    """
    if probe is None:
        return None
    labelled = probe if isinstance(probe, Labelled) else read_labelled(probe)
    prepared = read(labelled, context.options, cache=context.cache, progress=context.progress)
    if not len(prepared.split.test):
        raise DataError("The labelled images to watch the network on leave no test part.", "Give more of them.")
    return OnlineProbe.of(prepared, most=most)


def pooled(
    backbone: Backbone, read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, cuts: Sequence[str]
) -> dict[str, np.ndarray]:
    """Features of images at some cuts, by cut (n, d), from torch itself; the network's mode is left as it was."""
    was_training, device = backbone.training, next(backbone.parameters()).device
    backbone.eval()
    parts: dict[str, list[np.ndarray]] = {cut: [] for cut in cuts}
    with torch.inference_mode():
        for at in range(0, len(rows), BATCH):
            x = backbone.preprocessing.tensor(read(rows[at : at + BATCH]), device=device)
            for cut, z in zip(backbone.cuts, backbone(x), strict=True):
                if cut in parts:
                    parts[cut].append(z.float().cpu().numpy())
    backbone.train(was_training)
    return {cut: np.concatenate(found) for cut, found in parts.items()}
