"""Small pure functions from numbers to inline SVG; the same numbers give the same bytes."""

from headstart.report.charts.bars import Bar, bars
from headstart.report.charts.confusion import confusion
from headstart.report.charts.dots import Dot, dots_with_intervals
from headstart.report.charts.epochs import Course, shares_by_epoch
from headstart.report.charts.lines import Curve, CutPoint, Losses, Series, lines_by_cut, loss_curves
from headstart.report.charts.sweeps import Sweep, Sweeps, rate_sweeps

NARROW, WIDE = 340, 800
"""Widths in CSS pixels: every figure is drawn for a phone and for a desk, since scaled text cannot be read."""

__all__ = [
    "NARROW",
    "WIDE",
    "Bar",
    "Course",
    "Curve",
    "CutPoint",
    "Dot",
    "Losses",
    "Series",
    "Sweep",
    "Sweeps",
    "bars",
    "confusion",
    "dots_with_intervals",
    "lines_by_cut",
    "loss_curves",
    "rate_sweeps",
    "shares_by_epoch",
]
