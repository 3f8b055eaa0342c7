"""Horizontal bars: stacked parts, or one quantity against the mark that was planned for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report.charts.svg import Scale, advance, canvas, colour, element, fit, group, label, line, narrow


@dataclass(frozen=True)
class Bar:
    """One row: its parts lie end to end; `mark` is a second quantity, drawn as a stroke across."""

    label: str
    parts: tuple[float, ...]
    text: str
    tip: str
    mark: float | None = None

    @property
    def reach(self) -> float:
        """The furthest that anything of this row reaches."""
        return max(sum(self.parts), self.mark or 0.0)


def bars(rows: Sequence[Bar], *, name: str, title: str, width: int) -> Markup:
    """One bar a row, on a common scale from nought; the row's own words stand at its right."""
    high = 22 if len(rows) <= 24 else 17
    right = max(advance(row.text) for row in rows) + 12
    gutter = min(130.0 if narrow(width) else 320.0, 12 + max(advance(row.label) for row in rows))
    x = Scale(0, max(max(row.reach for row in rows), 1e-9), gutter, max(gutter + 40, width - right))
    drawn = [line((gutter, 0), (gutter, high * len(rows) + 2), style="axis")]
    drawn += [_row(row, x, top=index * high + 1, high=high, width=width) for index, row in enumerate(rows)]
    desc = "; ".join(row.tip for row in rows) + "."
    return canvas(name, width, drawn, height=high * len(rows) + 4, title=title, desc=desc)


def _row(row: Bar, x: Scale, *, top: float, high: int, width: int) -> Markup:
    thick = high - 9
    upper = top + 4.5
    base = top + high / 2 + 4
    parts = [label(x.start - 8, base, fit(row.label, x.start - 10), anchor="end", style="row-small")]
    start = 0.0
    for index, part in enumerate(row.parts):
        if part > 0:
            box = {"x": x(start) + 0.5, "y": upper, "width": max(1.0, x(start + part) - x(start) - 0.5)}
            parts.append(element("rect", {**box, "height": thick, "fill": colour(index), "rx": 1}))
        start += part
    if row.mark is not None:
        parts.append(line((x(row.mark), upper - 3), (x(row.mark), upper + thick + 3), style="planned"))
    parts.append(label(width, base, row.text, anchor="end", style="tick"))
    return group(parts, {"class": "mark", "data-tip": row.tip})
