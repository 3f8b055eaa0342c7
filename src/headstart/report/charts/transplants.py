"""What is lost and gained by layers kept: the figure of Yosinski et al. 2014, one panel a kind of split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts import svg
from headstart.report.charts.panels import GUTTER, Panel, arrange, frame
from headstart.report.charts.svg import Scale, advance, canvas, colour, element, fit, group, label, line, marker

ROW = 22.0
HIGH, FOOT = 260.0, 48.0


@dataclass(frozen=True)
class Effect:
    """A difference to the base, a share, with so many layers kept."""

    n: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Treated:
    """One treatment, by n."""

    name: str
    points: tuple[Effect, ...]


@dataclass(frozen=True)
class Halved:
    """One kind of split."""

    title: str
    series: tuple[Treated, ...]


def lines_by_layer(kinds: Sequence[Halved], *, name: str, title: str, width: int) -> Markup:
    """One panel a kind of split on a common scale, in points against the base, which is drawn across."""
    values = [v for k in kinds for s in k.series for p in s.points for v in (p.value, p.low, p.high) if v is not None]
    marks = svg.ticks(min([0.0, *values]), max([0.0, *values]))
    names = list(dict.fromkeys(s.name for k in kinds for s in k.series))
    legend, rows = _legend(names, width=width)
    panels, height = arrange(len(kinds), width=width, high=HIGH, foot=FOOT)
    drawn: list[Markup] = []
    for panel, kind in zip(panels, kinds, strict=True):
        lowered = Panel(panel.left, panel.top + rows * ROW, panel.width, panel.height, panel.first)
        drawn += frame(
            lowered, marks, heading=fit(kind.title, panel.width - 4, size=13), written=lambda m: f"{100 * m:g}"
        )
        drawn += _panel(kind, lowered, y=lowered.vertical(marks), names=names)
    told = [
        f"{k.title}, {s.name}: {', '.join(f'n = {p.n} {wording.points(p.value)}' for p in s.points)}"
        for k in kinds
        for s in k.series
    ]
    return canvas(name, width, [*legend, *drawn], height=height + rows * ROW, title=title, desc="; ".join(told) + ".")


def _legend(names: Sequence[str], *, width: int) -> tuple[list[Markup], int]:
    """The names beside their marks, in as many rows as they need."""
    drawn: list[Markup] = []
    x, row = GUTTER + 4, 0
    for index, name in enumerate(names):
        across = advance(name, size=13) + 40
        if x + across > width and x > GUTTER + 4:
            x, row = GUTTER + 4, row + 1
        at = ROW * (row + 0.6)
        drawn += [marker(index, (x, at)), label(x + 12, at + 4.5, name, style="row")]
        x += across
    return drawn, row + 1


def _panel(kind: Halved, panel: Panel, *, y: Scale, names: Sequence[str]) -> list[Markup]:
    cuts = sorted({point.n for one in kind.series for point in one.points})
    x = Scale(cuts[0], cuts[-1], panel.left + 14, panel.left + panel.width - 14)
    base = panel.top + panel.height
    drawn = [line((panel.left, y(0.0)), (panel.left + panel.width, y(0.0)), style="guide")]
    drawn += [label(x(n), base + 16, str(n), anchor="middle", style="tick") for n in cuts]
    drawn.append(label(panel.left + panel.width / 2, base + 34, "layers kept (n)", anchor="middle", style="tick"))
    for one in kind.series:
        index = names.index(one.name)
        ends = [(x(point.n), y(point.value)) for point in one.points]
        drawn.append(element("polyline", {"points": svg.path(ends), "class": "curve", "stroke": colour(index)}))
        drawn += [_point(index, one.name, point, x=x(point.n), y=y) for point in one.points]
    return drawn


def _point(index: int, name: str, point: Effect, *, x: float, y: Scale) -> Markup:
    parts = []
    if point.low is not None and point.high is not None:
        parts.append(line((x, y(point.low)), (x, y(point.high)), style="whisker", colour=colour(index)))
    tip = f"{name}, n = {point.n}: {wording.points(point.value, point.low, point.high)} against the base"
    return group([*parts, marker(index, (x, y(point.value)), size=3.2)], {"class": "mark", "data-tip": tip})
