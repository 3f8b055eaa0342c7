"""Shares by number of labels: learning curves, on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts import svg
from headstart.report.charts.panels import GUTTER, Panel, frame
from headstart.report.charts.svg import Scale, canvas, colour, element, fit, group, label, line, marker

HIGH, ROW, FOOT = 260.0, 22.0, 44.0


@dataclass(frozen=True)
class SizePoint:
    """The share reached with so many labels, with its interval."""

    labels: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Growing:
    """One learning curve: its points by ascending number of labels."""

    name: str
    points: tuple[SizePoint, ...]


def lines_by_size(series: Sequence[Growing], *, name: str, title: str, width: int) -> Markup:
    """All curves in one panel, numbers of labels on a logarithmic scale; the names stand above it."""
    values = [v for s in series for p in s.points for v in (p.value, p.low, p.high) if v is not None]
    marks = svg.share_ticks(values)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    top = ROW * (len(series) + 1)
    panel = Panel(GUTTER, top, width - GUTTER - 24.0, HIGH, first=True)
    drawn = frame(panel, marks, heading="", written=lambda m: svg.per_cent(m, step))
    sizes = sorted({p.labels for s in series for p in s.points})
    x = Scale(math.log(sizes[0]), math.log(sizes[-1]), panel.left + 10, panel.left + panel.width - 10)
    drawn += _feet(sizes, x, base=top + HIGH)
    for index, one in enumerate(series):
        drawn += _legend(index, one.name, width=width)
        drawn += _curve(index, one, x=x, y=panel.vertical(marks))
    told = [f"{s.name}: " + ", ".join(f"{p.labels} {wording.share(p.value)}" for p in s.points) for s in series]
    return canvas(name, width, drawn, height=top + HIGH + FOOT, title=title, desc="; ".join(told) + ".")


def _legend(index: int, name: str, *, width: int) -> list[Markup]:
    height = ROW * (index + 0.6)
    text = fit(name, width - GUTTER - 20, size=13)
    return [marker(index, (GUTTER + 4, height)), label(GUTTER + 16, height + 4.5, text, style="row")]


def _feet(sizes: Sequence[int], x: Scale, *, base: float) -> list[Markup]:
    """Numbers under the axis, the largest first, as many as do not touch."""
    drawn: list[Markup] = []
    free = math.inf
    for size in reversed(sizes):
        at, text = x(math.log(size)), wording.count(size)
        reach = svg.advance(text, size=11) / 2 + 4
        if at + reach <= free:
            drawn.append(label(at, base + 16, text, anchor="middle", style="tick"))
            free = at - reach
    middle = (x.start + x.stop) / 2
    return [*drawn, label(middle, base + 34, "labels", anchor="middle", style="tick")]


def _curve(index: int, series: Growing, *, x: Scale, y: Scale) -> list[Markup]:
    placed = [(x(math.log(point.labels)), point) for point in series.points]
    ends = [(at, y(point.value)) for at, point in placed]
    drawn = [element("polyline", {"points": svg.path(ends), "class": "curve", "stroke": colour(index)})]
    for at, point in placed:
        words = wording.estimate({"value": point.value, "low": point.low, "high": point.high})
        # A picture that stands alone has no script: browsers show a title of their own accord.
        parts = [element("title", {}, f"{series.name} · {wording.plural(point.labels, 'label')}: {words}")]
        if point.low is not None and point.high is not None:
            parts.append(line((at, y(point.low)), (at, y(point.high)), style="whisker", colour=colour(index)))
        drawn.append(group([*parts, marker(index, (at, y(point.value)), size=3.2)]))
    return drawn
