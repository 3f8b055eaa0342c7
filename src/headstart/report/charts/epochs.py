"""Shares along the epochs of a training, beside what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from headstart.report import wording
from headstart.report.charts import svg
from headstart.report.charts.panels import Panel, arrange, frame
from headstart.report.charts.svg import Scale, canvas, colour, element, fit, group, label, line, marker


@dataclass(frozen=True)
class Course:
    """One share by epoch, and the share that an answer at random would have."""

    title: str
    points: tuple[tuple[int, float], ...]
    chance: float | None = None


def shares_by_epoch(courses: Sequence[Course], *, name: str, title: str, width: int) -> Markup:
    """One panel a course on a common scale; chance is drawn across."""
    values = [v for one in courses for v in (*(p[1] for p in one.points), one.chance) if v is not None]
    marks = svg.share_ticks(values)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    panels, height = arrange(len(courses), width=width, high=150, foot=44)
    drawn: list[Markup] = []
    for index, (panel, one) in enumerate(zip(panels, courses, strict=True)):
        heading = fit(one.title, panel.width - 4, size=13)
        drawn += frame(panel, marks, heading=heading, written=lambda m: svg.per_cent(m, step))
        drawn += _course(index, one, panel=panel, y=panel.vertical(marks))
    told = [f"{one.title}: " + ", ".join(f"epoch {e} {wording.share(v)}" for e, v in one.points) for one in courses]
    return canvas(name, width, drawn, height=height, title=title, desc="; ".join(told) + ".")


def _course(index: int, one: Course, *, panel: Panel, y: Scale) -> list[Markup]:
    epochs = [epoch for epoch, _ in one.points]
    x = Scale(min(epochs), max(max(epochs), min(epochs) + 1), panel.left + 6, panel.left + panel.width - 8)
    base = panel.top + panel.height
    whole = [m for m in svg.ticks(min(epochs), max(epochs), most=5) if m == int(m) and m <= max(epochs)]
    drawn = [label(x(m), base + 16, f"{m:g}", anchor="middle", style="tick") for m in whole]
    drawn.append(label(panel.left + panel.width, base + 32, "epoch", anchor="end", style="tick"))
    if one.chance is not None:
        drawn.append(line((panel.left, y(one.chance)), (panel.left + panel.width, y(one.chance)), style="guide"))
        drawn.append(label(panel.left + 6, y(one.chance) - 5, "chance", style="tick"))
    places = [(x(epoch), y(value)) for epoch, value in one.points]
    drawn.append(element("polyline", {"points": svg.path(places), "class": "curve", "stroke": colour(index)}))
    for place, (epoch, value) in zip(places, one.points, strict=True):
        tip = {"class": "mark", "data-tip": f"{one.title}, epoch {epoch}: {wording.share(value)}"}
        drawn.append(group([marker(index, place, size=3.0)], tip))
    return drawn
