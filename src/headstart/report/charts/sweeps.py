"""How the loss changed while the learning rate rose, and the rate that was taken from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report.charts import svg
from headstart.report.charts.panels import Panel, arrange, frame
from headstart.report.charts.svg import Scale, canvas, colour, element, fit, group, label, marker


@dataclass(frozen=True)
class Sweep:
    """One range test: (rate, change of the loss) in order, and the rate that was found, if one was."""

    points: tuple[tuple[float, float], ...]
    found: float | None


@dataclass(frozen=True)
class Sweeps:
    """The range tests before the trainings of one candidate."""

    title: str
    sweeps: tuple[Sweep, ...]


def rate_sweeps(candidates: Sequence[Sweeps], *, name: str, title: str, width: int) -> Markup:
    """One panel a candidate on a common scale, rates by powers of ten; what rises far above the fall is cut off."""
    points = [point for one in candidates for sweep in one.sweeps for point in sweep.points]
    fall = -min(0.0, *(change for _, change in points)) or 1.0
    marks = svg.ticks(-fall, fall, most=4)
    low, high = (f(math.log10(rate) for rate, _ in points) for f in (min, max))
    panels, height = arrange(len(candidates), width=width, high=150, foot=44)
    drawn: list[Markup] = []
    for panel, one in zip(panels, candidates, strict=True):
        drawn += frame(panel, marks, heading=fit(one.title, panel.width - 4, size=13), written=lambda m: f"{m:g}")
        x = Scale(low, high, panel.left + 6, panel.left + panel.width - 8)
        drawn += _axis(x, panel)
        for sweep in one.sweeps:
            drawn += _sweep(sweep, x, y=panel.vertical(marks))
    told = [f"{one.title}: " + "; ".join(_told(sweep) for sweep in one.sweeps) for one in candidates]
    return canvas(name, width, drawn, height=height, title=title, desc=". ".join(told) + ".")


def _axis(x: Scale, panel: Panel) -> list[Markup]:
    base = panel.top + panel.height
    powers = range(math.ceil(x.low), math.floor(x.high) + 1)
    drawn = [label(x(power), base + 16, f"{10.0**power:g}", anchor="middle", style="tick") for power in powers]
    return [*drawn, label(panel.left + panel.width, base + 32, "learning rate", anchor="end", style="tick")]


def _sweep(sweep: Sweep, x: Scale, *, y: Scale) -> list[Markup]:
    placed = [(x(math.log10(rate)), y(change)) for rate, change in sweep.points]
    drawn = [element("polyline", {"points": svg.path(placed), "class": "curve", "stroke": colour(0)})]
    for at, (rate, change) in zip(placed, sweep.points, strict=True):
        found = rate == sweep.found
        dot = marker(0, at, size=5) if found else element("circle", {"cx": at[0], "cy": at[1], "r": 7, "class": "hit"})
        tip = f"rate {rate:.2g}{' (found)' if found else ''}: loss {change:+.3f}"
        drawn.append(group([dot], {"class": "mark", "data-tip": tip}))
    return drawn


def _told(sweep: Sweep) -> str:
    changes = [change for _, change in sweep.points]
    return f"the loss fell by at most {-min(changes):.3f}, " + (
        f"at a rate of {sweep.found:.2g}" if sweep.found is not None else "no rate was found"
    )
