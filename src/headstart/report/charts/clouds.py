"""Two clouds of points in a plane: where images of source and target lie."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from headstart.report.charts.svg import Scale, canvas, colour, element, group, label, line, narrow

Point = Sequence[float]


def clouds(
    panels: Sequence[tuple[str, Sequence[Point], Sequence[Point]]], *, name: str, title: str, width: int
) -> Markup:
    """One panel for each (title, source, target), side by side, or one above the other on a phone.

    Source images are dots, target images rings: their shape tells them apart where colour cannot. Each panel has a
    scale of its own: only the clouds' places within it mean anything.
    """
    phone = narrow(width)
    across = 1 if phone else len(panels)
    side = (width - 24 * (across - 1)) / across
    high = min(side, 380.0)
    drawn = []
    for number, (words, source, target) in enumerate(panels):
        left = 0.0 if phone else number * (side + 24)
        top = number * (high + 44) if phone else 0.0
        drawn += _panel(words, source, target, corner=(left, top), side=side, high=high)
    height = (high + 44) * (len(panels) if phone else 1)
    told = "; ".join(f"{words}: {len(s)} source and {len(t)} target images" for words, s, t in panels)
    return canvas(name, width, drawn, height=height, title=title, desc=f"{told}.")


def _panel(
    words: str,
    source: Sequence[Point],
    target: Sequence[Point],
    *,
    corner: tuple[float, float],
    side: float,
    high: float,
) -> list[Markup]:
    left, top = corner
    points = [*source, *target]
    x, y = (_scale([p[axis] for p in points]) for axis in (0, 1))
    across = Scale(*x, left + 6, left + side - 6)
    up = Scale(*y, top + high + 20, top + 32)
    base = top + high + 26
    parts = [label(left, top + 16, words, style="row strong"), line((left, base), (left + side, base), style="axis")]
    dots = [
        element("circle", {"cx": across(p[0]), "cy": up(p[1]), "r": 2.6, "fill": colour(0), "opacity": "0.55"})
        for p in source
    ]
    rings = [
        element(
            "circle",
            {"cx": across(p[0]), "cy": up(p[1]), "r": 3.2, "fill": "none", "stroke": colour(1), "stroke-width": 1.4},
        )
        for p in target
    ]
    return [*parts, group(dots), group(rings)]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the largest, but for one value in fifty at each end: what lies outside stands at the edge."""
    ordered = sorted(values)
    cut = len(ordered) // 50
    return ordered[cut], ordered[len(ordered) - 1 - cut]
