"""Images that a backbone of the race has learned from before: what is measured on them is too good for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.bundle.learned import learned_by
from headstart.runs.context import Prepared

HELD = {"val": "validation", "test": "test"}


def seen_notes(prepared: Prepared, backbones: Sequence[str]) -> list[str]:
    """A sentence on each backbone that has learned from held images or copies of them, or of which nobody can say."""
    notes = []
    for name in backbones:
        known = learned_by(name)
        if known is None:
            notes.append(f"{name} does not say which images it learned from: some may be in the parts that are held.")
            continue
        counts = {part: _seen(prepared, known, getattr(prepared.split, part)) for part in HELD}
        if sum(counts.values()):
            told = " and ".join(
                f"{count:,} of the {len(getattr(prepared.split, part)):,} {HELD[part]} images"
                for part, count in counts.items()
                if count
            )
            notes.append(
                f"{name} has learned from {told}, or copies of them: what is measured on these is too good for it. "
                "In a table they can be given the part train."
            )
    return notes


def _seen(prepared: Prepared, known: frozenset[str], part: np.ndarray) -> int:
    """Images of a part that share a set of duplicates with one that is known."""
    groups = prepared.duplicates.groups
    met = [group for key, group in zip(prepared.survey.ids, groups.tolist(), strict=True) if key in known]
    return int(np.isin(groups[part], met).sum())
