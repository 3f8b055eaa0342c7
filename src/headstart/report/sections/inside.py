"""Inside the networks of a laboratory: what cuts respond to, how alike they are, what fine-tuning changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.records import Journal
from headstart.report import wording
from headstart.report.charts import CutPoint, Series, lines_by_cut
from headstart.report.charts.squares import Square, squares
from headstart.report.pictures import data_uri
from headstart.report.sections.figure import figure

SEPARABLE = "Accuracy of a linear probe at each cut"
ALIKE = "How alike the cuts are (CKA)"


def responds(folder: Path, journal: Journal) -> dict[str, Any] | None:
    """Pictures: first-layer filters, and what the units of each cut respond to."""
    record = journal.get("inside")
    if record is None:
        return None
    filters = [{"network": one["network"], "uri": data_uri(folder, one["picture"])} for one in record.detail["filters"]]
    cuts = [
        {
            "cut": one["cut"],
            "uri": data_uri(folder, one["picture"]),
            "units": [f"unit {unit['unit']}: {', '.join(unit['classes'])}" for unit in one["units"]],
            "patch": "{} × {}".format(*one["patch"]),
        }
        for one in record.detail["responds"]
    ]
    return {"filters": filters, "cuts": cuts}


def depth(journal: Journal) -> dict[str, Any] | None:
    """What a linear probe reads by depth, how much a feature says of the class, and what fine-tuning changed."""
    record = journal.get("inside")
    if record is None:
        return None
    detail, cuts = record.detail, record.detail["cuts"]
    series = [
        Series(name, tuple(CutPoint(cut, by_cut[cut], None, None) for cut in cuts))
        for name, by_cut in detail["separable"].items()
    ]
    pairs = (
        ("Base B with itself", "base B", "base B", detail["within"]),
        ("Base A with base B", "base A", "base B", detail["across"]),
    )
    found = [Square(title, down, across, tuple(map(tuple, values))) for title, down, across, values in pairs]
    names = list(detail["specific"])
    rows = [
        {
            "cut": one["cut"],
            "weights": wording.MISSING if one["weights"] is None else f"{100 * one['weights']:.0f} %",
            "alike": wording.decimal(one["alike"]),
            "specific": [f"{detail['specific'][name][one['cut']]:.2f}" for name in names],
        }
        for one in detail["changed"]
    ]
    return {
        "separable": figure(lambda width: lines_by_cut(series, name="separable", title=SEPARABLE, width=width)),
        "alike": figure(lambda width: squares(found, cuts, name="alike", title=ALIKE, width=width)),
        "names": names,
        "rows": rows,
        "images": wording.count(detail["images"]),
        "most": _most(detail["changed"]),
    }


def _most(changed: list[dict[str, Any]]) -> str:
    """The cut that fine-tuning changed most; empty where too few images were seen to say."""
    known = [one for one in changed if one["alike"] is not None]
    return str(min(known, key=lambda one: one["alike"])["cut"]) if known else ""
