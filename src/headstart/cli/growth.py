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
    from headstart.runs.grown import Labels, Meeting, Trained, Trainings


def print_labels(terminal: Terminal, found: Labels, *, as_json: bool) -> None:
    """The curve of the backbone beside its control's and those that were trained, and what they come to."""
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False) + "\n")
        return
    one, other = found.transferred, found.control
    trained = found.trained.curves if found.trained else ()
    table = Table(box=None, pad_edge=False)
    table.add_column("labels", justify="right")
    for title in (*(f"{each.backbone}, cut {each.cut}" for each in (one, other)), *(each.title for each in trained)):
        table.add_column(title, justify="right", overflow="fold")
    for n, own, control in zip(found.sizes, one.points, other.points, strict=True):
        table.add_row(f"{n:,}", _share(own), _share(control), *(_measured(each, n) for each in trained))
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
    lines = [
        f"With all {found.labels:,} labels: {_share(found.now)} right.",
        f"Another {found.more:,} {_unit(found)} would bring {_points(found.gain)}.",
        f"Half of the labels would have cost {_points(found.half_cost, signed=False)}.",
        crossed,
        *(_trained(found, found.trained) if found.trained else []),
    ]
    if found.gain.low is None:
        lines.append("One replicate tells nothing of the spread: there is no interval.")
    else:
        lines.append("Intervals hold the value with a probability of 80 %.")
    if found.left_out:
        lines.append(f"{found.left_out:,} images could not be read and were left out.")
    return lines


def _trained(found: Labels, trained: Trainings) -> list[str]:
    """What fine-tuning and training from scratch bring, against the frozen network on the same images."""
    lines = []
    for number, one in enumerate(trained.curves):
        title = one.title if number else f"Instead, {one.title}"
        where = "" if number else f", with {one.sizes[-1]:,} labels and on the same images"
        lines.append(f"{_first(title)} brings {_points(one.over_frozen)}{where}.")
    for one in trained.curves:
        if one.now is not None and one.gain is not None:
            ahead = f"another {found.more:,} {_unit(found)} would bring {_points(one.gain)}"
            lines.append(f"{_first(one.title)}: {_share(one.now)} right with all labels; {ahead}.")
    titles = {"probe": "the frozen network"} | {one.strategy: one.title for one in trained.curves}
    lines += [_met(one, titles, alone=trained.replicates == 1) for one in trained.meetings]
    for one in trained.curves:
        if one.improving:
            of = len(one.sizes) * trained.replicates
            fact = f"In {one.improving} of {of} trainings ({one.title}) the last of {one.epochs} epochs was the best"
            lines.append(f"{fact}: a larger --budget may lift that curve.")
    if trained.curves:
        count = f"{trained.replicates} replicate{'s' if trained.replicates > 1 else ''}"
        alone = ": without an interval" if trained.replicates == 1 else ""
        lines.append(f"What was trained, and what is compared with it, stands on {count}{alone}.")
    return [*lines, *trained.notes]


def _met(one: Meeting, titles: dict[str, str], *, alone: bool) -> str:
    pair, ahead = f"The curves of {titles[one.one]} and of {titles[one.other]}", titles[one.ahead]
    if one.at is None:
        return f"{pair} do not cross up to {one.searched:,} labels: {ahead} is ahead throughout."
    between = _range(one.at, lambda n: f"{n:,.0f}")
    if not between and not alone:
        between = " (no interval: replicates do not agree that they cross)"
    far = ", beyond what was measured" if one.at.value > one.measured else ""
    return f"{pair} cross at about {one.at.value:,.0f} labels{between}{far}: from there on {ahead} is ahead."


def _measured(one: Trained, n: int) -> str:
    return _share(one.points[one.sizes.index(n)]) if n in one.sizes else ""


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unit(found: Labels) -> str:
    return "label" if found.more == 1 else "labels"


def _share(found: Forecast) -> str:
    return f"{100 * found.value:.1f} %{_range(found, lambda share: f'{100 * share:.1f}')}"


def _points(found: Forecast, *, signed: bool = True) -> str:
    def tell(share: float) -> str:
        return f"{100 * share:{'+.1f' if signed else '.1f'}}".replace("-", "−")

    return f"{tell(found.value)} points{_range(found, tell)}"


def _range(found: Forecast, tell: Callable[[float], str]) -> str:
    return "" if found.low is None or found.high is None else f" ({tell(found.low)} to {tell(found.high)})"
