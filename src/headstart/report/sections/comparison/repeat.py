"""How to repeat it, and what was left out."""

from __future__ import annotations

from typing import Any

from headstart.report import again, wording
from headstart.report.comparison import Compared


def section(run: Compared) -> dict[str, Any] | None:
    """The command, both domains in numbers, and notes on them."""
    data, options = run.part("data"), run.options
    if not data:
        return None
    sides = [_side(data[side]) for side in ("source", "target")]
    return {"command": again.compare(options), "sides": sides, "notes": _notes(data)}


def _side(side: dict[str, Any]) -> dict[str, str]:
    size = f"{side['width'][1]} × {side['height'][1]}" if side["width"] else f"{side['features']} features"
    return {
        "name": side["name"],
        "images": wording.count(side["images"]),
        "broken": wording.count(side["broken"]),
        "size": size,
        "grey": wording.share(side["grey"]),
        "classes": wording.count(len(side["classes"])) if side["classes"] else wording.MISSING,
    }


def _notes(data: dict[str, Any]) -> list[str]:
    pairs = data["pairs"]
    told = (
        [f"{wording.plural(pairs, 'group')} of images, by name, look or table, reach across both domains."]
        if pairs
        else []
    )
    return [*told, *data["notes"]]
