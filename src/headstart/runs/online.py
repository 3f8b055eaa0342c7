"""A network watched on labelled images: a ridge on its features at every cut, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headstart.backbones import Backbone
from headstart.data import folds
from headstart.evidence import Difference, Interval, interval, paired, ridge
from headstart.runs.context import Prepared
from headstart.shallow import HEADS, evenly

FOLDS = 5
BATCH = 64
ALL = "all cuts"
"""What is read from all cuts together, as a frozen network is in `fit`."""
Named = dict[str, np.ndarray]
MOST_FITTED, MOST_JUDGED = 2000, 1000
"""Images that a head is fitted to, and judged on, at most."""


@dataclass(frozen=True, eq=False)
class OnlineProbe:
    """A linear probe whose images are fixed: of one network it always gives the same number.

    Parameters
    ----------
    prepared : labelled images, read and split; heads are fitted to their training and validation part, and judged
        on their test part. Nothing is chosen by the test part.
    """

    prepared: Prepared
    fitted: np.ndarray
    judged: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared) -> OnlineProbe:
        """The probe on some of these images."""
        split = prepared.split
        learned = np.sort(np.concatenate([split.train, split.val]))
        return cls(prepared, evenly(learned, prepared.y, MOST_FITTED), evenly(split.test, prepared.y, MOST_JUDGED))

    def named(self, backbone: Backbone, cuts: Sequence[str] = ("top",), *, joined: bool = False) -> Named:
        """By cut, the classes that a ridge on its features names the judged images as, (m,).

        The penalty is chosen out of fold on the images that it is fitted to. With `joined` there is one more, `ALL`,
        on the features of all these cuts side by side.
        """
        rows = np.concatenate([self.fitted, self.judged])
        z, y = pooled(backbone, self.prepared.survey.pixels, rows, cuts), self.prepared.y
        if joined:
            z[ALL] = np.concatenate([z[cut] for cut in cuts], axis=1)
        targets = np.eye(self.prepared.k, dtype=np.float32)[y[self.fitted]]
        fold = np.zeros(len(self.fitted), dtype=np.int64)
        parts = folds(y[self.fitted], self.prepared.groups[self.fitted], FOLDS, seed=0)
        for number, (_, held) in enumerate(parts):
            fold[held] = number
        penalties = [float(one) for one in HEADS["ridge"].penalties if one is not None]
        found = {}
        for cut in z:
            learned, judged = z[cut][: len(self.fitted)], z[cut][len(self.fitted) :]
            guessed = ridge.out_of_fold(learned, targets, fold, penalties).argmax(2)
            best = int(np.argmax((guessed == y[self.fitted]).mean(1)))
            found[cut] = ridge.fit(learned, targets, [penalties[best]]).predict(judged)[0].argmax(1)
        return found

    def value(self, named: np.ndarray) -> Interval:
        """Accuracy on the judged images, with its interval."""
        return interval(self.prepared.y[self.judged], named, self.prepared.groups[self.judged])

    def difference(self, after: np.ndarray, before: np.ndarray) -> Difference:
        """Accuracy after minus before, paired over the judged images."""
        return paired(self.prepared.y[self.judged], after, before, self.prepared.groups[self.judged])


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
