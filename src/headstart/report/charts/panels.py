"""Small multiples: panels side by side that share one vertical axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report.charts.svg import Scale, label, line, narrow

HEAD, GAP, GUTTER = 30.0, 18.0, 48.0


@dataclass(frozen=True)
class Panel:
    """The plot area of one panel, in pixels; `first` marks the one that bears the axis labels."""

    left: float
    top: float
    width: float
    height: float
    first: bool

    def vertical(self, marks: Sequence[float]) -> Scale:
        """The vertical scale over `marks`, upwards."""
        return Scale(marks[0], marks[-1], self.top + self.height, self.top)


def arrange(count: int, *, width: int, high: float, foot: float) -> tuple[list[Panel], float]:
    """`count` panels in rows of at most three (one on a phone), and the height of them all."""
    most = 1 if narrow(width) else 3
    columns = min(count, most) if count != 4 else min(2, most)
    across = (width - GUTTER - 6 - GAP * (columns - 1)) / columns
    across = min(across, 460.0)
    panels = [
        Panel(
            left=GUTTER + (index % columns) * (across + GAP),
            top=HEAD + (index // columns) * (HEAD + high + foot),
            width=across,
            height=high,
            first=index % columns == 0,
        )
        for index in range(count)
    ]
    rows = -(-count // columns)
    return panels, rows * (HEAD + high + foot)


def frame(panel: Panel, marks: Sequence[float], *, heading: str, written: Callable[[float], str]) -> list[Markup]:
    """Grid lines at `marks`, their labels at the first panel of a row, and the panel's heading."""
    y = panel.vertical(marks)
    right = panel.left + panel.width
    drawn = [line((panel.left, y(m)), (right, y(m)), style="axis" if m == marks[0] else "grid") for m in marks]
    if panel.first:
        drawn += [label(panel.left - 8, y(m) + 4, written(m), anchor="end", style="tick") for m in marks]
    drawn.append(label(panel.left, panel.top - 14, heading, style="strong row"))
    return drawn
