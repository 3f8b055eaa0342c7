"""A figure as the page holds it: drawn once for a desk and once for a phone."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from headstart.report.charts import NARROW, WIDE


def figure(draw: Callable[[int], Markup]) -> Markup:
    """Both widths of what `draw` draws; the style sheet shows the one that fits the screen."""
    return Markup("\n").join((draw(WIDE), draw(NARROW)))
