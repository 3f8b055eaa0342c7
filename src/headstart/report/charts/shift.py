"""How well two domains are told apart at each cut, between chance and certainty."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts import svg
from headstart.report.charts.lines import CutPoint
from headstart.report.charts.panels import GUTTER, Panel, frame
from headstart.report.charts.svg import Scale, canvas, colour, element, group, label, line, marker

HIGH = 210.0
MARKS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CHANCE = 0.5


def shift_by_cut(points: Sequence[CutPoint], *, tolerated: float, name: str, title: str, width: int) -> Markup:
    """Accuracy at every cut with its interval; a dashed line at what is tolerated, and what lies below it in words.

    Parameters
    ----------
    tolerated : accuracy up to which the domains count as the same.
    """
    across = width - GUTTER - 20.0
    panel = Panel(GUTTER, 24.0, across, HIGH, first=True)
    marks = [mark for mark in MARKS if mark >= 0.5 or min(p.low or p.value for p in points) < 0.5]
    y = panel.vertical(marks)
    drawn = frame(panel, marks, heading="", written=lambda mark: svg.per_cent(mark, 0.1))
    drawn += _levels(panel, y, tolerated)
    step = across / len(points)
    placed = [(GUTTER + (i + 0.5) * step, point) for i, point in enumerate(points)]
    path = svg.path([(x, y(point.value)) for x, point in placed])
    drawn.append(element("polyline", {"points": path, "class": "curve", "stroke": colour(0)}))
    turned = max(svg.advance(point.cut, size=11) for point in points) > step - 4
    for x, point in placed:
        drawn.append(_point(point, (x, y(point.value)), y))
        drawn.append(_foot(point.cut, x, panel.top + HIGH + 16, turned=turned))
    told = ", ".join(f"{point.cut} {wording.share(point.value)}" for point in points) + "."
    foot = 70 if turned else 30
    return canvas(name, width, drawn, height=panel.top + HIGH + foot, title=title, desc=told)


def _levels(panel: Panel, y: Scale, tolerated: float) -> list[Markup]:
    right = panel.left + panel.width
    said = f"tolerated: {svg.per_cent(tolerated, 0.001 if tolerated * 100 % 1 else 0.1)}"
    return [
        line((panel.left, y(CHANCE)), (right, y(CHANCE)), style="axis"),
        line((panel.left, y(tolerated)), (right, y(tolerated)), style="guide"),
        label(right, y(tolerated) - 6, said, anchor="end", style="tick"),
    ]


def _point(point: CutPoint, at: tuple[float, float], y: Scale) -> Markup:
    x, _ = at
    words = wording.estimate({"value": point.value, "low": point.low, "high": point.high})
    parts = []
    if point.low is not None and point.high is not None:
        parts.append(line((x, y(point.low)), (x, y(point.high)), style="whisker", colour=colour(0)))
    return group([*parts, marker(0, at, size=3.6)], {"class": "mark", "data-tip": f"{point.cut}: {words}"})


def _foot(text: str, x: float, y: float, *, turned: bool) -> Markup:
    if not turned:
        return label(x, y, text, anchor="middle", style="tick")
    turn = f"rotate(-40 {x:.1f} {y:.1f})"
    return element("text", {"x": x + 4, "y": y, "text-anchor": "end", "class": "tick", "transform": turn}, text)
