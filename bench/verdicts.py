#!/usr/bin/env python3
"""What the verdict makes of the cells of bench/advice.py: its choice, what that loses, whether its intervals cover.

python bench/verdicts.py table     print the tables

Nothing is trained here. The finalists of a cell are compared as a run compares them, from what each got right, image by
image: `patient`, with every strategy at hand, and `frugal`, with the frozen networks alone. What either hands back is
judged by its test accuracy in the records.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from statistics import mean
from typing import Any

import numpy as np
from advice import GRID, HERE, recorded, unpacked

sys.path.insert(0, str(HERE.parent / "src"))

MARGIN = 0.005
LADDER = ("probe", "last_block", "upper_half", "all")
CONTROLS = ("frozen_random", "scratch")
BARS = {"mean": 1.0, "worst": 2.0, "cost": 0.1, "covered": 0.85}
FEWEST_DRAWS = 5
"""Of a difference on the test images, whose mean is taken for the truth."""
Row = dict[str, Any]


def frozen(cell: Row) -> str:
    """The frozen network that is best on the images that a run compares on."""
    probes = [key for key in cell["strategies"] if key.startswith("probe")]
    return max(probes, key=lambda key: cell["strategies"][key]["value"])


def best(cell: Row, key: str = "value") -> str:
    """The best of all that was trained on all labels: by validation (`value`: a patient user), or by `test` (oracle)."""
    judged = [name for name, one in cell["strategies"].items() if "test" in one]
    return max(judged, key=lambda name: cell["strategies"][name][key])


def differences(cell: Row, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Simultaneous 90 % intervals of these pairs, as a run makes them."""
    from headstart.advice import Difference
    from headstart.advice.verdict import LEVEL
    from headstart.evidence import simultaneous

    n = cell["judged"]
    right = {name: unpacked(one["right"], n).astype(int) for name, one in cell["strategies"].items()}
    found = simultaneous(np.ones(n, int), right, pairs, np.array(cell["groups"]), level=LEVEL)
    return {pair: Difference(*pair, one.value, one.low, one.high) for pair, one in found.items()}


def verdict(cell: Row, rows: tuple[str, ...]) -> Any:
    """The decision of a run with these finalists, and which record stands for each."""
    from dataclasses import replace

    from headstart.advice import Candidate, decide

    probe = frozen(cell)
    named = {row: probe if row == "probe" else row for row in rows if row == "probe" or row in cell["strategies"]}
    value = {row: cell["strategies"][key]["value"] for row, key in named.items()}
    top = max((row for row in value if row not in CONTROLS), key=value.__getitem__)
    others = [row for row in value if row not in CONTROLS and row != top]
    controls = [row for row in value if row in CONTROLS]
    to_best = differences(cell, [(named[top], named[row]) for row in others])
    to_control = differences(cell, [(named[top], named[row]) for row in controls])
    lowest = min(to_control.values(), key=lambda d: d.value)
    decided = decide(
        [Candidate(row, value[row], row) for row in value],
        to_best={row: replace(to_best[named[top], named[row]], a=top, b=row) for row in others},
        to_control=replace(lowest, a=top),
        margin=MARGIN,
        n=cell["judged"],
    )
    return decided, named


def judged(cell: Row) -> Row:
    """What the verdicts of a cell hand back, beside the best chosen on validation and on test, in points."""
    tried = cell["strategies"]
    told: Row = {"best": best(cell), "oracle": best(cell, "test")}
    for name, rows in (("patient", (*LADDER, *CONTROLS)), ("frugal", ("probe", "frozen_random"))):
        decided, named = verdict(cell, rows)
        told[name], told[f"{name}_kind"] = named[decided.chosen], decided.kind
        test = tried[told[name]].get("test")
        told[f"{name}_loss"] = None if test is None else 100 * (tried[told["best"]]["test"] - test)
    cost = {key: one["cpu_s"] for key, one in tried.items()}
    cheap = sum(seconds for key, seconds in cost.items() if key.startswith("probe") or key == "frozen_random")
    told["cost"] = cheap / sum(cost.values())
    told["cost_apart"] = cheap / (sum(cost.values()) - cost.get("scratch", 0.0))
    told["noise"] = noise(cell, told)
    return told


def noise(cell: Row, told: Row) -> bool:
    """Whether brute force itself cannot tell its best from what the patient verdict hands back, on the test images."""
    from headstart.evidence import paired

    first, second = (cell["strategies"][told[key]] for key in ("best", "patient"))
    if told["best"] == told["patient"] or "test_right" not in second:
        return True
    a, b = (unpacked(one["test_right"], cell["test"]).astype(int) for one in (first, second))
    found = paired(np.ones(cell["test"], int), a, b, np.arange(cell["test"]), level=0.9)
    return bool(found.low is None or found.low <= 0)


def losses() -> None:
    """Markdown: what each verdict loses to the best of brute force, a line a case and size."""
    cells = {(c["case"], c["n"], c["seed"]): (c, judged(c)) for c in recorded()}
    print("| case | labels | seeds | best of all | oracle | patient loses | frugal loses | frugal / all: cost |", end="")
    print(" scratch apart | patient verdicts |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    means = []
    for case in (*GRID["design"]["cases"], *GRID["judge"]["cases"]):
        for n in GRID["sizes"]:
            these = [told for key, told in cells.items() if key[:2] == (case, n)]
            rows = [c for key, (c, _) in cells.items() if key[:2] == (case, n)]
            told = [told for _, told in these]
            if not told:
                print(f"| {case} | {n} | not run | | | | | | | |")
                continue
            top = [100 * c["strategies"][t["best"]]["test"] for c, t in zip(rows, told, strict=True)]
            most = [100 * c["strategies"][t["oracle"]]["test"] for c, t in zip(rows, told, strict=True)]
            kinds = ", ".join(f"{kind} {times}" for kind, times in Counter(t["patient_kind"] for t in told).most_common())
            lost = {name: [t[f"{name}_loss"] for t in told if t[f"{name}_loss"] is not None] for name in ("patient", "frugal")}
            means.append((case, n, mean(lost["patient"]), mean(lost["frugal"])))
            ranges = [f"{mean(lost[name]):+.1f} ({min(lost[name]):+.1f} to {max(lost[name]):+.1f})" for name in lost]
            costs = [f"{mean(t[key] for t in told):.2f}" for key in ("cost", "cost_apart")]
            print(f"| {case} | {n} | {len(told)} | {mean(top):.1f} | {mean(most):.1f} | {' | '.join(ranges + costs)} | {kinds} |")
    return None


if __name__ == "__main__":
    losses()
