"""Whether the intervals of runs cover what is true of the training draws: printed by `bench/verdicts.py table`."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from verdicts import FROZEN_PAIR, GRID, TUNED_PAIR, Pair, Row, compared, recorded


def table() -> None:
    """How often the interval of a run covers the mean difference on the test images of all draws."""
    case = GRID["truth"]["case"]
    print(f"\n| {case}, labels | difference | draws | truth, points | covered |\n|---|---|---|---|---|")
    hits: dict[str, list[bool]] = {FROZEN_PAIR: [], TUNED_PAIR: []}
    later: list[bool] = []
    for n in GRID["truth"]["sizes"]:
        cells = [cell for cell in recorded() + recorded("frozen") if (cell["case"], cell["n"]) == (case, n)]
        for pair in differences(cells):
            drawn = [cell for cell in cells if all("test" in cell["strategies"].get(key, {}) for key in pair)]
            if len(drawn) < GRID["truth"]["fewest_draws"]:
                continue
            truth = mean(cell["strategies"][pair[0]]["test"] - cell["strategies"][pair[1]]["test"] for cell in drawn)
            found = [compared(cell, [pair])[pair] for cell in drawn]
            covered = [d.low is None or d.low <= truth <= d.high for d in found]
            hits[FROZEN_PAIR if all(key.startswith("probe") for key in pair) else TUNED_PAIR] += covered
            later += [hit for hit, cell in zip(covered, drawn, strict=True) if cell["seed"] in GRID["frozen"]["seeds"]]
            print(
                f"| {n} | {' − '.join(pair)} | {len(drawn)} | {100 * truth:+.1f} | {sum(covered)} of {len(covered)} |"
            )
    every = [hit for one in hits.values() for hit in one]
    if every:
        parts = "; ".join(f"{sum(one)} of {len(one)} where {name}" for name, one in hits.items())
        bar = f"bar: {GRID['truth']['bar']:.0%}"
        print(f"\n90 % intervals cover in {sum(every)} of {len(every)} ({mean(every):.0%}; {parts}); {bar}.")
        print(f"Of the draws of part `frozen` alone: {sum(later)} of {len(later)}.")


def differences(cells: list[Row]) -> Iterator[Pair]:
    """Pairs of what is compared in these cells, dearer minus cheaper."""
    keys = list(dict.fromkeys(key for cell in cells for key in cell["strategies"]))
    yield from ((b, a) for i, a in enumerate(keys) for b in keys[i + 1 :])
