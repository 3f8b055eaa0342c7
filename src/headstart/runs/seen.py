"""Images that a backbone of the race has learned from before: what is measured on them is too good for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.bundle.learned import learned_by
from headstart.runs.context import Prepared

TOO_GOOD = "what is measured on these is too good for it"
TO_TRAIN = f"{TOO_GOOD}. In a table they can be given the part train"


def held_images(prepared: Prepared) -> dict[str, np.ndarray]:
    """Those that nothing is learned from, by what they are called."""
    return {"validation images": prepared.split.val, "test images": prepared.split.test}


def seen_notes(
    backbones: Sequence[str], ids: Sequence[str], groups: np.ndarray, judged: Mapping[str, np.ndarray], *, so: str
) -> list[str]:
    """A sentence on each backbone that has learned from images or copies of them, or of which nobody can say.

    Parameters
    ----------
    ids, groups : content id of every image, and the set of duplicates that it is in, int64 (n,).
    judged : what images are called, and which they are, int64 (m,).
    so : what follows of it.
    """
    notes = []
    for name in backbones:
        known = learned_by(name)
        if known is None:
            notes.append(f"{name} does not say which images it learned from: some of these may be among them.")
            continue
        met = [group for key, group in zip(ids, groups.tolist(), strict=True) if key in known]
        counts = {called: int(np.isin(groups[indices], met).sum()) for called, indices in judged.items()}
        told = [f"{count:,} of the {len(judged[called]):,} {called}" for called, count in counts.items() if count]
        if told:
            notes.append(f"{name} has learned from {' and '.join(told)}, or copies of them: {so}.")
    return notes


def seen_in(prepared: Prepared, backbones: Sequence[str], judged: Mapping[str, np.ndarray]) -> list[str]:
    """The sentences of `seen_notes` on images of one labelled set, which a table can put into the training part."""
    return seen_notes(backbones, prepared.survey.ids, prepared.duplicates.groups, judged, so=TO_TRAIN)
