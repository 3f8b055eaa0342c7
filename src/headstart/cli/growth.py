"""Accuracy by number of labels, and the sentences about more and fewer of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.table import Table

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.evidence.learning_curves import Forecast
    from headstart.runs.labels import Labels


def print_labels(terminal: Terminal, found: Labels, *, as_json: bool) -> None:
    """The curve of the backbone beside its control's, where they cross, and the forecast."""
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False) + "\n")
        return
    one, other = found.transferred, found.control
    table = Table(box=None, pad_edge=False)
    table.add_column("labels", justify="right")
    for frozen in (one, other):
        table.add_column(f"{frozen.backbone}, cut {frozen.cut}", justify="right", overflow="fold")
    for n, own, control in zip(found.sizes, one.points, other.points, strict=True):
        table.add_row(f"{n:,}", _share(own), _share(control))
    terminal.console.print(table)
    for line in ["", *sentences(found)]:
        terminal.console.print(line, markup=False)


def sentences(found: Labels) -> list[str]:
    """What the curves come to, in words."""
    if found.crossing is None:
        crossed = "The curves of the backbone and of its random control do not cross."
    else:
        between = _range(found.crossing, lambda n: f"{n:,.0f}")
        crossed = f"The curves cross at about {found.crossing.value:,.0f} labels{between}."
    unit = "label" if found.more == 1 else "labels"
    lines = [
        f"With all {found.labels:,} labels: {_share(found.now)} right.",
        f"Another {found.more:,} {unit} would bring {_points(found.gain)}.",
        f"Half of the labels would have cost {_points(found.half_cost, signed=False)}.",
        crossed,
    ]
    if found.gain.low is None:
        lines.append("One replicate tells nothing of the spread: there is no interval.")
    else:
        lines.append("Intervals hold the value with a probability of 80 %.")
    if found.left_out:
        lines.append(f"{found.left_out:,} images could not be read and were left out.")
    return lines


def _share(found: Forecast) -> str:
    return f"{100 * found.value:.1f} %{_range(found, lambda share: f'{100 * share:.1f}')}"


def _points(found: Forecast, *, signed: bool = True) -> str:
    form = "+.1f" if signed else ".1f"
    return f"{100 * found.value:{form}} points{_range(found, lambda share: f'{100 * share:{form}}')}"


def _range(found: Forecast, tell: Callable[[float], str]) -> str:
    return "" if found.low is None or found.high is None else f" ({tell(found.low)} to {tell(found.high)})"
