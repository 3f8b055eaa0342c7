"""Figures are well-formed, repeat to the byte, and say their numbers."""

from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from headstart.report import charts
from headstart.report.charts import Bar, Curve, CutPoint, Dot, Losses, Series, Sweep, Sweeps, svg
from headstart.report.charts.confusion import most_confused
from headstart.report.charts.sizes import Growing, SizePoint, lines_by_size

HOSTILE = "<script>alert(1)</script>\"'&\x00\x0b\u202e"


def dots(width: int) -> Markup:
    rows = [Dot(HOSTILE, 0.9, 0.85, 0.94, chosen=True), Dot("control", 0.3, None, None, control=True)]
    rows += [Dot("worse", 0.4, 0.3, 0.5, dropped=True)]
    return charts.dots_with_intervals(rows, name="dots", title="Dots", width=width)


def cuts(width: int) -> Markup:
    points = (
        CutPoint("stem", 0.5, 0.4, 0.6),
        CutPoint(HOSTILE, 0.7, None, None),
        CutPoint("a+b", 0.6, 0.5, 0.7, joined=True),
    )
    series = [Series(f"{HOSTILE}{index}", points) for index in range(5)]
    return charts.lines_by_cut(series, name="cuts", title="Cuts", width=width)


def losses(width: int) -> Markup:
    curve = Curve(((1, 2.0, 1.9), (2, 1.0, None), (3, 0.5, 0.8)), 3)
    return charts.loss_curves(
        [Losses(HOSTILE, (curve, curve)), Losses("one", (Curve(((1, 2.0, None),), None),))],
        name="l",
        title="L",
        width=width,
    )


def sweeps(width: int) -> Markup:
    found = Sweep(((1e-5, 0.0), (1e-4, -0.2), (1e-3, 3.0)), 1e-4)
    return charts.rate_sweeps(
        [Sweeps(HOSTILE, (found, found)), Sweeps("none", (Sweep(((1e-5, 0.1),), None),))],
        name="s",
        title="S",
        width=width,
    )


def matrix(width: int) -> Markup:
    return charts.confusion(["a", HOSTILE, "c"], [[5, 1, 0], [0, 0, 0], [2, 0, 9]], name="c", title="C", width=width)


def counts(width: int) -> Markup:
    rows = [Bar(HOSTILE, (5.0, 0.0, 2.0), "7", "seven"), Bar("none", (0.0,), "0", "none", mark=3.0)]
    return charts.bars(rows, name="b", title="B", width=width)


def growing(width: int) -> Markup:
    points = tuple(SizePoint(n, n / 2000, 0.0, 0.9) for n in (60, 97, 155, 1145))
    alone = (SizePoint(1145, 0.7, None, None),)
    return lines_by_size([Growing(HOSTILE, points), Growing("one", alone)], name="g", title="G", width=width)


DRAWN = [dots, cuts, losses, sweeps, matrix, counts, growing]


@pytest.mark.parametrize("width", [charts.NARROW, charts.WIDE])
@pytest.mark.parametrize("draw", DRAWN)
def test_every_figure_is_well_formed_named_and_repeatable(draw: Callable[[int], Markup], width: int) -> None:
    drawn = draw(width)
    assert drawn == draw(width)
    root = ElementTree.fromstring(drawn)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    named = [child.get("id") for child in root[:2]]
    assert [child.tag for child in root[:2]] == ["title", "desc"]
    assert all(child.text for child in root[:2])
    assert root.get("aria-labelledby", "").split() == named
    assert "script" not in {element.tag for element in root.iter()}
    assert "nan" not in drawn.lower()


@pytest.mark.parametrize("width", [charts.NARROW, charts.WIDE])
@pytest.mark.parametrize("draw", DRAWN)
def test_every_mark_lies_inside_its_figure(draw: Callable[[int], Markup], width: int) -> None:
    root = ElementTree.fromstring(draw(width))
    across, down = (float(v) for v in root.get("viewBox", "").split()[2:])
    for element in root.iter():
        for keys, limit in ((("x", "cx", "x1", "x2"), across), (("y", "cy", "y1", "y2"), down)):
            for key in keys:
                assert -0.01 <= float(element.get(key, "0")) <= limit + 0.01, (element.tag, key, element.attrib)


def test_a_figure_of_one_measured_value_has_a_scale() -> None:
    assert "<circle" in charts.dots_with_intervals([Dot("a", 1.0, None, None)], name="d", title="D", width=charts.WIDE)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.37, 0.93), (0.0, 23.4), (0.9991, 0.9992), (5.0, 5.0)])
def test_ticks_are_round_few_and_cover(low: float, high: float) -> None:
    ticks = svg.ticks(low, high)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(ticks)


def test_ticks_of_shares_stay_between_nought_and_one() -> None:
    assert svg.share_ticks([0.985, 1.0])[-1] <= 1.0
    assert svg.share_ticks([0.0, 0.003])[0] >= 0.0


def test_long_names_are_cut_to_their_room() -> None:
    assert svg.fit("short", 100) == "short"
    cut = svg.fit("a name that goes on and on and on", 60)
    assert cut.endswith("…")
    assert svg.advance(cut) <= 60


def test_the_most_confused_are_the_largest_off_the_diagonal() -> None:
    assert most_confused(["a", "b", "c"], [[9, 1, 4], [0, 9, 0], [5, 0, 9]], most=2) == [("c", "a", 5), ("a", "c", 4)]
