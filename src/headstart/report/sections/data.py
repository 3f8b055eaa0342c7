"""The data's own problems: uneven classes, broken files, duplicates, leaks, labels that contradict each other."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import Bar, bars
from headstart.report.reading import Run
from headstart.report.sections.figure import figure

PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))

MOST = 50
"""How many entries of one list are printed; the records hold the rest."""


def section(run: Run) -> dict[str, Any] | None:
    """Counts, chart and lists of the data record."""
    if run.data is None:
        return None
    detail = run.data.detail
    rows = [_bar(name, counts) for name, counts in (detail.get("counts") or {}).items()]
    title = "Images per class, by part"
    return {
        "facts": _facts(run.data),
        "parts": [(name, wording.count((detail.get("parts") or {}).get(key))) for key, name in (*PARTS, _ASIDE)],
        "figure": figure(lambda width: bars(rows, name="classes", title=title, width=width)) if rows else "",
        "classes": len(rows),
        "counts": _counts(detail),
        "notes": list(detail.get("notes") or []),
        "root": str(detail.get("root") or ""),
        "layout": str(detail.get("layout") or ""),
        "sizes": _sizes(detail),
        **_problems(run.data),
    }


_ASIDE = ("aside", "left aside")


def _bar(name: str, counts: dict[str, int]) -> Bar:
    parts = tuple(float(counts.get(key) or 0) for key, _ in PARTS)
    told = ", ".join(f"{word} {counts.get(key) or 0}" for key, word in PARTS)
    return Bar(str(name), parts, wording.count(sum(parts)), f"{name}: {told}")


def _counts(detail: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": str(name), "cells": [wording.count(counts.get(key) or 0) for key, _ in PARTS]}
        for name, counts in (detail.get("counts") or {}).items()
    ]


def _facts(data: Record) -> list[dict[str, Any]]:
    """Counts in a strip; those that should be nought are marked where they are not."""
    unwelcome = ("broken", "duplicates", "near_duplicates")
    return [
        {"name": name, "value": wording.count(data.metrics[key]), "bad": key in unwelcome and data.metrics[key] > 0}
        for key, name in wording.COUNTS.items()
        if data.metrics.get(key) is not None
    ]


def _problems(data: Record) -> dict[str, Any]:
    detail = data.detail
    lists = {name: list(detail.get(name) or []) for name in ("broken", "leaks", "conflicts", "groups")}
    shown = {name: found[:MOST] for name, found in lists.items()}
    more = {name: max(0, len(found) - MOST) for name, found in lists.items()}
    # Groups are cut off where they are recorded, so only the metrics know how many images there are.
    alike = any(data.metrics.get(key) for key in ("duplicates", "near_duplicates"))
    return {
        "lists": shown,
        "more": more,
        "clean": not any(lists.values()) and not alike,
        "totals": {name: len(found) for name, found in lists.items()},
    }


def _sizes(detail: dict[str, Any]) -> str:
    widths, heights = detail.get("widths"), detail.get("heights")
    if not widths or not heights:
        return ""
    low, middle, high = (f"{widths[key]:g}×{heights[key]:g}" for key in ("min", "median", "max"))
    return f"{middle} pixels in the median, {low} at the least, {high} at the most, each side by itself"
