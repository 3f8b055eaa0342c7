"""Shares along the cuts of a backbone, and losses along the epochs of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts import svg
from headstart.report.charts.panels import Panel, arrange, frame
from headstart.report.charts.svg import Scale, advance, canvas, colour, element, fit, group, label, line, marker


@dataclass(frozen=True)
class CutPoint:
    """The share reached on the features at one cut; `joined` marks several cuts taken together."""

    cut: str
    value: float
    low: float | None
    high: float | None
    joined: bool = False


@dataclass(frozen=True)
class Series:
    """One backbone's cuts in order, from the image to the top."""

    name: str
    points: tuple[CutPoint, ...]

    @property
    def best(self) -> CutPoint:
        """The first of the highest."""
        return max(self.points, key=lambda point: point.value)


@dataclass(frozen=True)
class Curve:
    """One training: (epoch, loss on what it trains on, loss on what it does not), and the epoch kept."""

    points: tuple[tuple[float, float | None, float | None], ...]
    kept: float | None


@dataclass(frozen=True)
class Losses:
    """The curves of one candidate, one a replicate."""

    title: str
    curves: tuple[Curve, ...]


def lines_by_cut(series: Sequence[Series], *, name: str, title: str, width: int) -> Markup:
    """One panel a backbone on a common scale; the best cut is ringed, the best of all drawn across."""
    values = [v for s in series for p in s.points for v in (p.value, p.low, p.high) if v is not None]
    marks = svg.share_ticks(values)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    longest = max(advance(point.cut) for s in series for point in s.points)
    foot = min(84.0, 0.64 * longest + 30)
    panels, height = arrange(len(series), width=width, high=190, foot=foot)
    top = max(s.best.value for s in series)
    drawn: list[Markup] = []
    for index, (panel, one) in enumerate(zip(panels, series, strict=True)):
        drawn += frame(
            panel, marks, heading=fit(one.name, panel.width - 4, size=13), written=lambda m: svg.per_cent(m, step)
        )
        drawn += _cuts(index, one, panel=panel, y=panel.vertical(marks), top=top)
    told = [f"{s.name}: " + ", ".join(f"{p.cut} {wording.share(p.value)}" for p in s.points) for s in series]
    return canvas(name, width, drawn, height=height, title=title, desc="; ".join(told) + ".")


def _cuts(index: int, series: Series, *, panel: Panel, y: Scale, top: float) -> list[Markup]:
    step = panel.width / len(series.points)
    placed = [(panel.left + (i + 0.5) * step, point) for i, point in enumerate(series.points)]
    single = [(x, y(point.value)) for x, point in placed if not point.joined]
    drawn = [line((panel.left, y(top)), (panel.left + panel.width, y(top)), style="guide")]
    drawn.append(element("polyline", {"points": svg.path(single), "class": "curve", "stroke": colour(index)}))
    turned = max(advance(point.cut, size=11) for _, point in placed) > step - 4
    for x, point in placed:
        drawn.append(_cut(index, series, point=point, at=(x, y(point.value)), y=y))
        drawn.append(_foot(point.cut, x, panel.top + panel.height + 16, turned=turned))
    return drawn


def _cut(index: int, series: Series, *, point: CutPoint, at: tuple[float, float], y: Scale) -> Markup:
    x, height = at
    words = wording.estimate({"value": point.value, "low": point.low, "high": point.high})
    parts: list[Markup] = []
    if point.low is not None and point.high is not None:
        parts.append(line((x, y(point.low)), (x, y(point.high)), style="whisker", colour=colour(index)))
    if point is series.best:
        parts.append(element("circle", {"cx": x, "cy": height, "r": 8.5, "class": "ring", "stroke": colour(index)}))
    parts.append(marker(index, (x, height), size=3.2, hollow=point.joined))
    best = ", the best" if point is series.best else ""
    return group(parts, {"class": "mark", "data-tip": f"{series.name} · {point.cut}: {words}{best}"})


def _foot(text: str, x: float, y: float, *, turned: bool) -> Markup:
    if not turned:
        return label(x, y, text, anchor="middle", style="tick")
    turn = f"rotate(-40 {x:.1f} {y:.1f})"
    return element(
        "text", {"x": x + 4, "y": y, "text-anchor": "end", "class": "tick", "transform": turn}, fit(text, 100, size=11)
    )


def loss_curves(losses: Sequence[Losses], *, name: str, title: str, width: int) -> Markup:
    """One panel a candidate on a common scale: training loss dashed, inner-validation loss whole, the epoch kept."""
    values = [v for one in losses for curve in one.curves for p in curve.points for v in p[1:] if v is not None]
    marks = svg.ticks(0.0, max(values, default=1.0), most=4)
    panels, height = arrange(len(losses), width=width, high=150, foot=44)
    drawn: list[Markup] = []
    for panel, one in zip(panels, losses, strict=True):
        drawn += frame(panel, marks, heading=fit(one.title, panel.width - 4, size=13), written=lambda m: f"{m:g}")
        drawn += _losses(one, panel=panel, y=panel.vertical(marks))
    told = [f"{one.title}: " + "; ".join(_curve_told(curve) for curve in one.curves) for one in losses]
    return canvas(name, width, drawn, height=height, title=title, desc=". ".join(told) + ".")


def _losses(one: Losses, *, panel: Panel, y: Scale) -> list[Markup]:
    epochs = [point[0] for curve in one.curves for point in curve.points]
    marks = [m for m in svg.ticks(min(epochs), max(epochs), most=5) if m == int(m) and min(epochs) <= m <= max(epochs)]
    x = Scale(min(epochs), max(epochs), panel.left + 6, panel.left + panel.width - 8)
    base = panel.top + panel.height
    drawn = [label(x(m), base + 16, f"{m:g}", anchor="middle", style="tick") for m in marks]
    drawn.append(label(panel.left + panel.width, base + 32, "epoch", anchor="end", style="tick"))
    for curve in one.curves:
        drawn += _curve(curve, x, y=y)
    return drawn


def _curve(curve: Curve, x: Scale, *, y: Scale) -> list[Markup]:
    drawn = [
        element("polyline", {"points": svg.path(points), "class": style, "stroke": colour(index)})
        for index, column, style in ((1, 1, "curve dashed"), (0, 2, "curve"))
        if (points := [(x(p[0]), y(v)) for p in curve.points if (v := p[column]) is not None])
    ]
    for point in curve.points:
        height = point[2] if point[2] is not None else point[1]
        if height is None:
            continue
        kept = point[0] == curve.kept
        tip = f"epoch {point[0]:g}{' (kept)' if kept else ''}: {_pair(point[1], point[2])}"
        at = (x(point[0]), y(height))
        dot = marker(0, at, size=5) if kept else element("circle", {"cx": at[0], "cy": at[1], "r": 7, "class": "hit"})
        drawn.append(group([dot], {"class": "mark", "data-tip": tip}))
    return drawn


def _pair(train: float | None, inner: float | None) -> str:
    named = (("training", train), ("inner validation", inner))
    return ", ".join(f"{name} {wording.decimal(value)}" for name, value in named if value is not None)


def _curve_told(curve: Curve) -> str:
    if not curve.points:
        return "no epochs"
    first, last = curve.points[0], curve.points[-1]
    kept = "" if curve.kept is None else f", epoch {curve.kept:g} kept"
    falls = all(b[2] <= a[2] for a, b in pairwise(curve.points) if a[2] is not None and b[2] is not None)
    return f"from {_pair(first[1], first[2])} to {_pair(last[1], last[2])}{kept}{', never rising' if falls else ''}"
