"""Which images the weights of a run's network have learned from: a later run must know which of its own they have seen.

What is measured on such an image is too good, whatever the task was that the image was seen in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from headstart.records import writing

LEARNED = "learned.json"


def write_learned(folder: Path, ids: Iterable[str], *, start: str) -> None:
    """Write ``learned.json``: content ids, each once and in order, with those that the start had learned from.

    Where the start does not say, nothing is written: a part of them would pass for all.

    Parameters
    ----------
    ids : of the images that weights of the backbone were fitted to; none where it stayed as it was.
    start : name of the backbone that it was before.
    """
    before = learned_by(start)
    if before is None:
        return
    known = {*ids, *before}
    with writing(folder / LEARNED) as temporary:
        temporary.write_text(json.dumps({"images": sorted(known)}, indent=0) + "\n")


def learned_by(backbone: str) -> frozenset[str] | None:
    """Content ids of the images that a backbone has learned from.

    Of a network that no run has made the set is empty: nobody has its images here. It is None where a run does not
    say, since it was made before runs did, or its file is gone.
    """
    scheme, _, place = backbone.partition(":")
    if scheme not in ("run", "file") or not Path(place).is_dir():
        return frozenset()
    try:
        return frozenset(json.loads((Path(place) / LEARNED).read_text())["images"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
