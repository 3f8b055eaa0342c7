#!/usr/bin/env python3
"""What the race would have dropped half-way, replayed on the trainings of bench/advice.py, which all went to their end.

python bench/drops.py table    trains nothing

A dearer strategy is dropped half-way where even twice what the last doubling of its epochs brought leaves its loss
above that of a cheaper one on the same images (docs/freezing.md). A run takes two standard errors off besides, which
the records do not hold: it drops fewer than are counted here, and saves less.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from advice import GRID, Row, recorded

LADDER = ("last_block", "upper_half", "all")
HALF = GRID["epochs"] // 2


def races() -> Iterator[Row]:
    """Each training that has a cheaper rival on the same images: whether it is dropped, and what it came to."""
    for cell in recorded():
        tried = {name: cell["strategies"][name] for name in LADDER}
        best = max(tried, key=lambda name: tried[name]["value"])
        for number, name in enumerate(LADDER[1:], start=1):
            for fold, curve in enumerate(tried[name]["curves"]):
                losses = [loss for loss, _ in curve["points"]]
                if len(losses) <= HALF:
                    continue
                rivals = [tried[other]["curves"][fold] for other in LADDER[:number]]
                rival = min(map(lowest, rivals))
                before, now = min(losses[1 : 1 + HALF // 2]), min(losses[1 : 1 + HALF])
                yield {
                    "dropped": now - 2 * (before - now) > rival,
                    "saved": len(losses) - 1 - HALF,
                    "epochs": len(losses) - 1,
                    "ended below": losses[curve["best_epoch"]] < rival,
                    "more accurate": curve["points"][curve["best_epoch"]][1] > max(map(accuracy, rivals)),
                    "of the best": name == best,
                }


def lowest(curve: Row) -> float:
    """The loss to beat: of the network as it came, or as it would be handed back."""
    losses = [loss for loss, _ in curve["points"]]
    return float(min(losses[0], losses[curve["best_epoch"]]))


def accuracy(curve: Row) -> float:
    """The share that is right, by the same two networks."""
    return float(max(curve["points"][epoch][1] for epoch in (0, curve["best_epoch"])))


def table() -> None:
    """One line of Markdown."""
    every = list(races())
    dropped = [one for one in every if one["dropped"]]
    saved, epochs = sum(one["saved"] for one in dropped), sum(one["epochs"] for one in every)
    ends = ("ended below", "more accurate", "of the best")
    below, accurate, best = (sum(one[key] for one in dropped) for key in ends)
    print("| trainings with a cheaper rival | dropped half-way | of their epochs saved | ", end="")
    print("dropped, though it ended below its rivals | though more accurate than they | ", end="")
    print("though of the strategy that is best of those that train |\n|---|---|---|---|---|---|")
    print(f"| {len(every)} | {len(dropped)} | {saved / epochs:.0%} | {below} | {accurate} | {best} |")


if __name__ == "__main__":
    if sys.argv[1:] != ["table"]:
        sys.exit(__doc__)
    table()
