"""How alike every cut of one network is with every cut of another: a square of shaded cells with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts.panels import GAP, HEAD
from headstart.report.charts.svg import advance, canvas, element, fit, group, label, narrow


@dataclass(frozen=True)
class Square:
    """Rows of one network, columns of another; values 0 to 1."""

    title: str
    down: str
    across: str
    values: tuple[tuple[float | None, ...], ...]


def squares(found: Sequence[Square], cuts: Sequence[str], *, name: str, title: str, width: int) -> Markup:
    """One square after the other, side by side where there is room; the darker, the more alike."""
    room = min(110.0, 12 + max(advance(cut, size=11) for cut in cuts))
    columns = 1 if narrow(width) else len(found)
    cell = min(40.0, ((width - GAP * (columns - 1)) / columns - room - 4) / len(cuts))
    side = cell * len(cuts)
    high = HEAD + side + 36
    drawn: list[Markup] = []
    for index, one in enumerate(found):
        left = (index % columns) * (room + side + GAP) + room
        top = (index // columns) * (high + GAP) + HEAD
        drawn += _square(one, cuts, left=left, top=top, cell=cell, room=room)
    diagonals = [[wording.decimal(row[i]) for i, row in enumerate(one.values)] for one in found]
    told = [f"{one.title}: on the diagonal {', '.join(own)}" for one, own in zip(found, diagonals, strict=True)]
    height = -(-len(found) // columns) * (high + GAP)
    return canvas(name, width, drawn, height=height, title=title, desc="; ".join(told) + ".")


def _square(one: Square, cuts: Sequence[str], *, left: float, top: float, cell: float, room: float) -> list[Markup]:
    drawn = [label(left - room + 2, top - 12, one.title, style="strong row")]
    for row, values in enumerate(one.values):
        middle = top + (row + 0.5) * cell
        drawn.append(label(left - 6, middle + 4, fit(cuts[row], room - 10, size=11), anchor="end", style="tick"))
        for column in range(len(values)):
            corner = (left + column * cell, top + row * cell)
            drawn.append(_cell(one, cuts, at=(row, column), corner=corner, cell=cell))
    base = top + len(cuts) * cell
    for column in range(len(cuts)):
        drawn.append(label(left + (column + 0.5) * cell, base + 14, str(column + 1), anchor="middle", style="tick"))
    under = f"the same cuts of {one.across}"
    drawn.append(label(left + len(cuts) * cell / 2, base + 30, under, anchor="middle", style="tick"))
    return drawn


def _cell(one: Square, cuts: Sequence[str], *, at: tuple[int, int], corner: tuple[float, float], cell: float) -> Markup:
    row, column = at
    value = one.values[row][column]
    shade = min(1.0, max(0.0, value or 0.0))
    box = {"x": corner[0] + 0.5, "y": corner[1] + 0.5, "width": cell - 1, "height": cell - 1, "rx": 2}
    parts = [element("rect", {**box, "fill": "var(--c0)", "fill-opacity": f"{0.06 + 0.8 * shade:.2f}"})]
    if cell >= 26:
        style = "count on" if shade > 0.6 else "count"
        middle = corner[0] + cell / 2, corner[1] + cell / 2 + 4
        parts.append(label(*middle, "" if value is None else f"{shade:.2f}".lstrip("0"), anchor="middle", style=style))
    tip = f"{one.down}, {cuts[row]} and {one.across}, {cuts[column]}: {wording.decimal(value)}"
    return group(parts, {"class": "mark", "data-tip": tip})
