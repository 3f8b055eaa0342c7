"""Estimates with their intervals, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts.svg import (
    Scale,
    advance,
    canvas,
    element,
    fit,
    group,
    label,
    line,
    narrow,
    per_cent,
    share_ticks,
)


@dataclass(frozen=True)
class Dot:
    """One row: a share with its interval (None where there is none)."""

    label: str
    value: float
    low: float | None
    high: float | None
    control: bool = False
    chosen: bool = False
    dropped: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the value twice."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )


def dots_with_intervals(rows: Sequence[Dot], *, name: str, title: str, width: int) -> Markup:
    """A dot with its interval for every row; the chosen one has the accent and a guide line.

    Controls, and what was dropped, are hollow.
    """
    phone = narrow(width)
    high = 46 if phone else 34
    gutter = 0.0 if phone else min(250.0, 20 + max(advance(row.label, size=13) for row in rows))
    marks = share_ticks([end for row in rows for end in row.ends], most=4 if phone else 6)
    x = Scale(marks[0], marks[-1], gutter + 12, width - (14.0 if phone else 64.0))
    bottom = float(high * len(rows) + 6)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    drawn = [line((x(m), 4), (x(m), bottom), style="grid") for m in marks]
    drawn += [label(x(m), bottom + 18, per_cent(m, step), anchor="middle", style="tick") for m in marks]
    drawn += [line((x(r.value), 4), (x(r.value), bottom), style="guide") for r in rows if r.chosen]
    drawn += [_row(row, x, top=index * high + 4, width=width) for index, row in enumerate(rows)]
    return canvas(name, width, drawn, height=bottom + 30, title=title, desc=_told(rows))


def _row(row: Dot, x: Scale, *, top: float, width: int) -> Markup:
    phone = narrow(width)
    middle = top + (33 if phone else 17)
    style = ("strong" if row.chosen else "") + (" muted" if row.control or row.dropped else "")
    words = wording.estimate({"value": row.value, "low": row.low, "high": row.high})
    paint = "var(--accent)" if row.chosen else "var(--ink-2)"
    room = x.start - 20 if not phone else width - 70.0
    parts = [
        label(0, top + (16 if phone else 21), fit(row.label, room, size=13), style=f"{style} row".strip()),
        label(width, top + (16 if phone else 21), wording.share(row.value), anchor="end", style=f"{style} num".strip()),
    ]
    if row.low is not None and row.high is not None:
        parts.append(line((x(row.low), middle), (x(row.high), middle), style="whisker", colour=paint))
    fill = "var(--paper)" if row.control or row.dropped else paint
    dot = {"cx": x(row.value), "cy": middle, "r": 5.5, "fill": fill, "stroke": paint, "stroke-width": 2}
    parts.append(element("circle", dot))
    return group(parts, {"class": "mark", "data-tip": f"{row.label}: {words}"})


def _told(rows: Sequence[Dot]) -> str:
    told = [
        f"{r.label}{' (chosen)' if r.chosen else ''}{' (control)' if r.control else ''}"
        f"{' (dropped)' if r.dropped else ''} " + wording.estimate({"value": r.value, "low": r.low, "high": r.high})
        for r in rows
    ]
    return "; ".join(told) + "."
