"""Which methods apply here, and why the others do not."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from headstart.report.comparison import VERDICTS, Compared


def section(run: Compared) -> dict[str, Any] | None:
    """The methods by ruling; None before there is one."""
    found = run.part("verdict").get("methods") or []
    if not found:
        return None
    groups = [
        {"verdict": verdict, "title": VERDICTS[verdict], "rows": [_row(one) for one in ones]}
        for verdict, ones in groupby(found, key=lambda one: one["verdict"])
    ]
    return {"groups": groups}


def _row(one: dict[str, Any]) -> dict[str, str]:
    said = "; ".join(one["reasons"])
    return {key: str(one[key]) for key in ("name", "title", "family", "paper")} | {"why": said[:1].upper() + said[1:]}
