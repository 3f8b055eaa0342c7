"""The images that give each domain away, and the map of both."""

from __future__ import annotations

from typing import Any

from headstart.report.charts.cloud import Spot, cloud
from headstart.report.comparison import Compared
from headstart.report.pictures import data_uri
from headstart.report.sections.figure import figure


def section(run: Compared) -> dict[str, Any] | None:
    """A row of pictures for each domain, and the map; None before there are any."""
    found = run.part("pictures")
    if not found:
        return None
    names = run.names
    spots = [Spot(dot["domain"], dot["x"], dot["y"], f"{names[dot['domain']]}: {dot['path']}") for dot in found["dots"]]
    name = f"{run.mark}map"
    title = "Both domains: what tells them apart from left to right, what they vary in otherwise upwards"
    return {
        "cut": found["cut"],
        "rows": [{"name": names[side], "cards": _cards(run, found["giveaways"], side)} for side in (0, 1)],
        "pictures": bool(found["giveaways"]),
        "map": figure(lambda width: cloud(spots, names, name=name, title=title, width=width)) if spots else "",
    }


def _cards(run: Compared, giveaways: list[dict[str, Any]], side: int) -> list[dict[str, Any]]:
    return [
        {"path": one["path"], "label": one["label"], "uri": data_uri(run.folder, one["picture"])}
        for one in giveaways
        if one["domain"] == side
    ]
