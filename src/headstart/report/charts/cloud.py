"""Two domains as clouds of dots: what tells them apart from left to right, what they vary in otherwise upwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from headstart.report.charts.svg import Scale, canvas, colour, element, fit, group, label, line, marker, narrow


@dataclass(frozen=True)
class Spot:
    """One image: 0 source or 1 target, its place, and what a reader is told of it."""

    domain: int
    x: float
    y: float
    told: str


def cloud(spots: Sequence[Spot], names: tuple[str, str], *, name: str, title: str, width: int) -> Markup:
    """All images as dots, circles of the source and squares of the target, on scales that leave out stray ones."""
    high = 300.0 if narrow(width) else 380.0
    top = 46.0
    x = _scale([spot.x for spot in spots], 10.0, width - 10.0)
    y = _scale([spot.y for spot in spots], top + high - 8, top + 8)
    drawn = [
        line((0, top + high), (float(width), top + high), style="axis"),
        line((x(0.0), top), (x(0.0), top + high), style="guide"),
        *_legend(names, width),
        *(_spot(spot, (x(spot.x), y(spot.y))) for spot in spots),
        label(4, top + high + 18, f"← {fit(names[0], width / 2 - 40, size=11)}", style="tick"),
        label(width - 4.0, top + high + 18, f"{fit(names[1], width / 2 - 40, size=11)} →", anchor="end", style="tick"),
    ]
    counts = [sum(spot.domain == side for spot in spots) for side in (0, 1)]
    told = f"{counts[0]} images of {names[0]} and {counts[1]} of {names[1]}."
    return canvas(name, width, drawn, height=top + high + 28, title=title, desc=told)


def _scale(values: Sequence[float], start: float, stop: float) -> Scale:
    low, high = np.quantile(values, [0.005, 0.995])
    return Scale(float(low), float(high), start, stop)


def _legend(names: tuple[str, str], width: int) -> list[Markup]:
    drawn: list[Markup] = []
    for index, text in enumerate(names):
        at = 14 + 20.0 * index
        words = fit(f"{('source', 'target')[index]}: {text}", width - 30, size=13)
        drawn += [marker(index, (8, at - 4), size=4), label(20, at, words, style="row")]
    return drawn


def _spot(spot: Spot, at: tuple[float, float]) -> Markup:
    x, y = at
    paint = {"fill": colour(spot.domain), "fill-opacity": "0.55"}
    if spot.domain == 0:
        shape = element("circle", {"cx": x, "cy": y, "r": 3.2, **paint})
    else:
        shape = element("rect", {"x": x - 2.8, "y": y - 2.8, "width": 5.6, "height": 5.6, **paint})
    return group([shape], {"class": "mark", "data-tip": spot.told})
