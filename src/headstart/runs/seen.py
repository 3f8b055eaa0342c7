"""Images that a backbone of the race has learned from before: what is measured on them is too good for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from headstart.bundle.learned import learned_by
from headstart.runs.context import Prepared


def held_images(prepared: Prepared) -> dict[str, np.ndarray]:
    """Those that nothing is learned from, by what they are called."""
    return {"validation images": prepared.split.val, "test images": prepared.split.test}


def seen_notes(prepared: Prepared, backbones: Sequence[str], judged: Mapping[str, np.ndarray]) -> list[str]:
    """A sentence on each backbone that has learned from images or copies of them, or of which nobody can say.

    Parameters
    ----------
    judged : what images are called, and which they are, int64 (m,).
    """
    notes = []
    for name in backbones:
        known = learned_by(name)
        if known is None:
            notes.append(f"{name} does not say which images it learned from: some of these may be among them.")
            continue
        counts = {called: _seen(prepared, known, indices) for called, indices in judged.items()}
        told = [f"{count:,} of the {len(judged[called]):,} {called}" for called, count in counts.items() if count]
        if told:
            notes.append(
                f"{name} has learned from {' and '.join(told)}, or copies of them: what is measured on these is too "
                "good for it. In a table they can be given the part train."
            )
    return notes


def _seen(prepared: Prepared, known: frozenset[str], indices: np.ndarray) -> int:
    """How many of the images share a set of duplicates with one that is known."""
    groups = prepared.duplicates.groups
    met = [group for key, group in zip(prepared.survey.ids, groups.tolist(), strict=True) if key in known]
    return int(np.isin(groups[indices], met).sum())
