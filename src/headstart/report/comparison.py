"""The page of a problem card: one file, drawn from the records and thumbnails of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.errors import RunError
from headstart.records import Journal
from headstart.report import wording

ABOUT = {
    "space": "Feature space",
    "marginal": "P(X)",
    "label space": "Label space",
    "prior": "P(Y)",
    "conditional": "P(Y|X)",
}
"""The five answers of a problem card, as a narrow column can bear them."""

VERDICTS = {
    "applies": "applies",
    "assumes": "applies, on an assumption",
    "restricted": "in part",
    "idle": "nothing to do",
    "refused": "does not apply",
}
"""Rulings on a method, in words."""


@dataclass(frozen=True)
class Compared:
    """A comparison as its records tell it; what is not measured yet is empty.

    Attributes
    ----------
    mark : before the names of its figures, where a page shows several comparisons.
    """

    folder: Path
    records: dict[str, dict[str, Any]]
    fingerprint: str
    mark: str = ""

    def part(self, key: str) -> dict[str, Any]:
        """What was measured under `key`; empty where nothing was."""
        return self.records.get(key) or {}

    @property
    def options(self) -> dict[str, Any]:
        """What the user asked."""
        return dict(self.part("plan").get("options") or {})

    @property
    def names(self) -> tuple[str, str]:
        """Names of source and target; the whole path where both folders are called the same."""
        data = self.part("data")
        found = [str(data.get(side, {}).get("name") or side) for side in ("source", "target")]
        if found[0] == found[1]:
            found = [f"{side} {name}" for side, name in zip(("source", "target"), found, strict=True)]
        return found[0], found[1]

    @property
    def tolerated(self) -> float:
        """Accuracy up to which the domains count as the same."""
        return 0.5 + float(self.options.get("tolerance") or 0.0) / 100


def read_comparison(folder: Path) -> Compared:
    """Read the records of a comparison.

    Raises
    ------
    RunError : the folder holds no records, or a line of them is not a record.
    """
    path = Path(folder) / "records.jsonl"
    if not path.is_file():
        raise RunError(f"{folder} holds no records.jsonl.", "Name the folder that `headstart compare` wrote.")
    records = list(Journal(path))
    return Compared(Path(folder), {record.key: record.detail for record in records}, records[0].data if records else "")


def sentences(detail: Mapping[str, Any]) -> list[str]:
    """What an earlier run's images and labels are to those of this run, in two sentences, or why it is not known."""
    if detail["note"]:
        return [str(detail["note"])]
    sizes = [
        f"{ABOUT[about]} {one['judgement']}"
        + (f", {wording.points(one['value'], one['low'], one['high'])}" if one["value"] is not None else "")
        for about, one in detail["answers"].items()
    ]
    return [f"Compared with the images of {detail['run']}: {detail['sentence']}", f"{'; '.join(sizes)}."]
