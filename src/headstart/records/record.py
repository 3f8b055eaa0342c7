"""One measurement: what, on which data, by what, and what it gave."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """One line of a run's journal.

    Attributes
    ----------
    key : unique in its run; a unit of work whose key is present is finished and is never redone.
    what : the kind of measurement, e.g. ``"probe"``, ``"candidate"``, ``"verdict"``.
    data : fingerprint of the images and labels it was measured on.
    part : the part of the data that the metrics were measured on
        (``"train"`` means out-of-fold on the training part).
    backbone, cut, strategy : where they apply.
    seed : of the split and of the training.
    recipe : how it was trained or fitted.
    metrics : numbers, each a plain float, int or list; shares (0..1), not per cent.
    cost : seconds, images, bytes.
    detail : whatever else a page needs, JSON only.
    reads_target_labels : true marks an oracle.
    """

    key: str
    what: str
    data: str = ""
    part: str = ""
    backbone: str = ""
    cut: str = ""
    strategy: str = ""
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    reads_target_labels: bool = False

    def to_json(self) -> str:
        """One line of JSON in ASCII (file names may hold anything), empty fields left out."""
        kept = {k: v for k, v in dataclasses.asdict(self).items() if v not in ("", {}, False) or k in ("key", "what")}
        return json.dumps(_plain(kept), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Inverse of `to_json`; unknown fields (of a later version) are passed over."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in json.loads(line).items() if k in known})


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: what could not be measured is null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
