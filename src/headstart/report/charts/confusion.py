"""What was taken for what: a square of shaded cells."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts.svg import advance, canvas, element, fit, group, label, narrow


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]], *, name: str, title: str, width: int) -> Markup:
    """Rows are the truth, columns the prediction.

    A cell's shade is the square root of its share of its row, so that a class confused one time in
    twenty still shows; right ones have one hue, wrong ones another. Counts stand in the cells
    where they fit. The figure is wider than `width` where cells would become too small to see.
    """
    # A figure that its box scrolls anyway may as well spell its names.
    room = min(84.0 if narrow(width) and len(classes) <= 12 else 150.0, 14 + max(advance(c) for c in classes))
    cell = max(15.0, min(46.0, (width - room - 20) / len(classes)))
    head = 24 + 0.77 * max(advance(fit(c, room - 14)) for c in classes)
    side = cell * len(classes)
    drawn = [label(room + 14, 12, "predicted", style="tick")]
    drawn.append(_truth(head + 12))
    for row, named in enumerate(classes):
        middle = head + 16 + (row + 0.5) * cell
        drawn.append(label(room + 8, middle, fit(named, room - 14), anchor="end", style="row-small"))
        drawn.append(_column(fit(named, room - 14), room + 14 + (row + 0.5) * cell, head + 8))
        for column in range(len(classes)):
            corner = (room + 14 + column * cell, head + 12 + row * cell)
            drawn.append(_cell(classes, counts, at=(row, column), corner=corner, cell=cell))
    desc = _told(classes, counts)
    return canvas(name, width, drawn, height=head + side + 16, title=title, desc=desc, outgrown=room + side + 18)


def _truth(y: float) -> Markup:
    turn = f"rotate(-90 10 {y:.1f})"
    return element("text", {"x": 10, "y": y, "text-anchor": "end", "class": "tick", "transform": turn}, "truth")


def _column(text: str, x: float, y: float) -> Markup:
    turn = f"rotate(-50 {x:.1f} {y:.1f})"
    return element("text", {"x": x, "y": y, "class": "row-small", "transform": turn}, text)


def _cell(
    classes: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    at: tuple[int, int],
    corner: tuple[float, float],
    cell: float,
) -> Markup:
    row, column = at
    value, total = counts[row][column], sum(counts[row])
    shade = (value / total) ** 0.5 if total else 0.0
    hue = "var(--c0)" if row == column else "var(--c1)"
    box = {"x": corner[0] + 0.5, "y": corner[1] + 0.5, "width": cell - 1, "height": cell - 1, "rx": 2}
    parts = [element("rect", {**box, "class": "cell"})]
    if not value:
        return parts[0]
    parts.append(element("rect", {**box, "fill": hue, "fill-opacity": f"{shade:.2f}"}))
    if cell >= 20:
        style = "count on" if shade > 0.7 else "count"
        parts.append(label(corner[0] + cell / 2, corner[1] + cell / 2 + 4, str(value), anchor="middle", style=style))
    tip = f"{classes[row]} taken for {classes[column]}" if row != column else f"{classes[row]} recognised"
    return group(parts, {"class": "mark", "data-tip": f"{tip}: {value} of {total}"})


def _told(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    right = sum(counts[i][i] for i in range(len(classes)))
    total = sum(sum(row) for row in counts)
    words = [f"{wording.count(right)} of {wording.count(total)} images recognised."]
    for truth, predicted, value in most_confused(classes, counts, most=3):
        words.append(f"{truth} taken for {predicted} {value} times.")
    return " ".join(words)


def most_confused(classes: Sequence[str], counts: Sequence[Sequence[int]], *, most: int) -> list[tuple[str, str, int]]:
    """The largest cells off the diagonal as (truth, predicted, count), at most `most` of them."""
    wrong = [
        (counts[i][j], i, j) for i in range(len(classes)) for j in range(len(classes)) if i != j and counts[i][j] > 0
    ]
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    return [(classes[i], classes[j], value) for value, i, j in wrong[:most]]
