#!/usr/bin/env python3
"""What adapting to another domain brings, for each method and for the automatic choice.

python bench/adapt.py            run the cells of bench/grids/adapt.toml that are not recorded yet
python bench/adapt.py table      print the table of methods
python bench/adapt.py choice     print how the automatic choice fared

python bench/adapt.py trained [table|choice]    the same of the methods that train, of its part [trained]
python bench/adapt.py auto [table|choice]       the same of what the command does by itself, of its part [auto]
python bench/adapt.py fresh [table|choice]      and of that on pairs declared before they were seen, of its part [fresh]
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from domains import CASES, HALF, domain, table_of

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/adapt.toml").read_text())
RUNS = HERE / "results/adapt"
COLOURS = np.array([[0.15, 0.75, 0.1], [0.1, 0.2, 0.7], [0.8, 0.1, 0.1]])
MEASURED = ("iwv", "dev", "entropy", "snd", "corr_c", "distance", "held", "kept", "effective")
MEASURED += ("overlap", "even", "sure")
Row = dict[str, Any]


def records(part: str) -> Path:
    """Where the cells of a part are written down."""
    return HERE / f"records/{'-'.join(filter(None, ('adapt', part)))}.jsonl"


def cells(part: str) -> list[Row]:
    """Judged pairs without and with labels, then built ones; seed by seed, so that a stopped run is even."""
    found: list[Row] = []
    if part == "fresh":
        told = GRID[part]
        return [{"source": s, "target": t, "seed": n, "labels": 0} for n in told["seeds"] for s, t in told["pairs"]]
    built = [("clipart", f"clipart, {kind}") for kind in GRID["built"]]
    for seed in (GRID[part] if part else GRID)["seeds"]:
        for source, target in GRID["judged"]:
            given = (0,) if part else (0, GRID["labels"])
            found += [{"source": source, "target": target, "seed": seed, "labels": n} for n in given]
        if part != "trained":
            found += [{"source": source, "target": target, "seed": seed, "labels": 0} for source, target in built]
    return found


def run(part: str) -> None:
    """All cells of a part that have no record yet."""
    from headstart.errors import DataError
    from headstart.runs.machine import machine

    done = [{key: row[key] for key in ("source", "target", "seed", "labels")} for row in recorded(part)]
    for cell in cells(part):
        if cell in done:
            continue
        try:
            note(part, cell | measure(cell, part) | {"machine": machine()})
        except DataError as error:  # a class may have too few images for so many labels
            print(f"{cell} cannot be run: {error.fact}", file=sys.stderr)


def measure(cell: Row, part: str) -> Row:
    """One `headstart.adapt`, its labels read in the end."""
    import headstart

    seed = cell["seed"]
    if cell["source"] == "clipart":
        source, target = halves(cell["target"].partition(", ")[2], seed=seed)
    else:
        tables, most = RUNS / "tables", GRID["most"]
        source, target = (domain(cell[side], tables, most=most, seed=seed) for side in ("source", "target"))
    words = [str(cell[key]).replace(", ", "-").replace(" ", "_") for key in ("source", "target", "labels", "seed")]
    by_itself = "auto" if part == "fresh" else part
    size = GRID["fresh"]["sizes"].get(cell["source"], 32) if part == "fresh" else GRID["size"]
    found = headstart.adapt(
        source,
        target,
        RUNS / "-".join(filter(None, [*words, part])),
        labels=cell["labels"],
        methods=(by_itself or "features",),
        oracle=True,
        backbone=GRID["backbone"],
        size=size,
        seed=seed,
    )
    verdict, domains = found.records.get("verdict"), found.records.get("domains")
    assert verdict is not None and domains is not None
    return {
        "chosen": verdict.strategy,
        "transfer": verdict.detail["transfer"],
        "expected": [verdict.metrics[key] for key in ("gain", "low", "high")],
        "methods": {
            record.strategy: {
                "value": found.oracle[record.strategy]["value"],
                "seconds": record.cost["seconds"],
                **{key: record.metrics[key] for key in MEASURED},
            }
            for record in found.records.of("method")
        },
        "parts": domains.detail["parts"],
        "seconds": found.records.of("spent")[0].detail["total_s"],
    }


def halves(kind: str, *, seed: int) -> tuple[Path, Path]:
    """Two halves of clip art, near duplicates whole; the second one built anew, if it is to be."""
    from headstart.data import find_duplicates, survey
    from headstart.data.allot import allot
    from headstart.problem import read_labelled
    from headstart.runs.machine import cache_folder

    data = read_labelled(CASES / "clipart")
    looked = survey(data.x, 128, cache=cache_folder())
    usable = np.array([i for i, key in enumerate(looked.ids) if key])
    side = allot(data.y[usable], find_duplicates(looked).groups[usable], [0.5, 0.5], seed=seed, cover=2)
    folder = CASES / "built" / f"clipart-{kind}"
    files = [[], []]
    for number, i in zip(side.tolist(), usable.tolist(), strict=True):
        name = data.task.classes[data.y[i]]
        path = (CASES / "built/clipart-clean" if number == 0 else folder) / name / f"{i:04d}.png"
        if not path.exists():
            draw(corrupted(looked.pixels([i])[0], "clean" if number == 0 else kind, seed=i), path)
        files[number].append((path, name))
    first, second = (
        table_of(named, RUNS / "tables" / f"clipart-{kind}-{seed}-{number}.csv") for number, named in enumerate(files)
    )
    return first, second


def corrupted(pixels: np.ndarray, kind: str, *, seed: int) -> np.ndarray:
    """A square of pixels, blurred, made noisy, pale or recoloured."""
    from scipy.ndimage import gaussian_filter

    x = pixels.astype(np.float32)
    if kind == "blur":
        x = gaussian_filter(x, (4, 4, 0))
    elif kind == "noise":
        x = x + np.random.default_rng(seed).normal(0, 80, x.shape)
    elif kind == "contrast":
        x = (x - x.mean()) * 0.15 + 100
    elif kind == "colour":
        x = (255 - x @ COLOURS.T) * 0.8 + 20
    return np.clip(x, 0, 255).astype(np.uint8)


def draw(pixels: np.ndarray, path: Path) -> None:
    """Write an image."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def recorded(part: str) -> list[Row]:
    """All finished cells of a part."""
    path = records(part)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def note(part: str, row: Row) -> None:
    """One cell, one line."""
    with records(part).open("a") as file:
        file.write(json.dumps(row) + "\n")


def by_pair(part: str) -> dict[tuple[str, str, int], list[Row]]:
    """Finished cells by (source, target, labels), in the order of the grid."""
    pairs: dict[tuple[str, str, int], list[Row]] = {
        (cell["source"], cell["target"], cell["labels"]): [] for cell in cells(part)
    }
    for row in recorded(part):
        pairs[row["source"], row["target"], row["labels"]].append(row)
    return pairs


def gains(rows: list[Row], method: str) -> list[float]:
    """Points over source-only, seed by seed; `method` may be ``chosen`` or ``oracle``."""
    found = []
    for row in rows:
        values = {name: one["value"] for name, one in row["methods"].items()}
        value = {"chosen": values[row["chosen"]], "oracle": max(values.values())}.get(method, values.get(method))
        found += [] if value is None else [100 * (value - values["source_only"])]
    return found


def table(part: str) -> None:
    """Markdown: source-only, then every method's gain, the mean over seeds (least to most)."""
    from headstart.strategies import ADAPTATIONS

    for (source, target, labels), rows in by_pair(part).items():
        given = f", {labels} labels a class" if labels else ""
        if not rows:
            print(f"\n{source} → {target}{given}: not run\n")
            continue
        base = 100 * mean(row["methods"]["source_only"]["value"] for row in rows)
        wanted = len((GRID[part] if part else GRID)["seeds"])
        print(f"\n**{source} → {target}{given}**: source-only {base:.1f} %, {len(rows)} of {wanted} seeds\n")
        print("| method | gain, points: mean (least to most) | seconds |")
        print("|---|---|---|")
        for name in [*(one for one in ADAPTATIONS if one != "source_only"), "chosen", "oracle"]:
            if apart := gains(rows, name):
                title = {"chosen": "**the automatic choice**", "oracle": "the oracle's choice, seed by seed"}.get(
                    name, f"`{name}`"
                )
                times = [row["methods"][name]["seconds"] for row in rows if name in row["methods"]]
                took = f"{mean(times):.1f}" if times else ""
                print(f"| {title} | {mean(apart):+.1f} ({min(apart):+.1f} to {max(apart):+.1f}) | {took} |")


def choice(part: str) -> None:
    """Markdown: the automatic choice against its bars, and whether its verdicts were right."""
    titles = ("pair", "labels", "seeds", "automatic", "oracle", "share", "within a point")
    titles += ("verdicts: helps, of these right", "intervals that held the gain")
    print("| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    judged = []
    for (source, target, labels), rows in by_pair(part).items():
        if not rows:
            print(f"| {source} → {target} | {labels} | 0 | not run |" + " |" * (len(titles) - 4))
            continue
        ours, best = gains(rows, "chosen"), gains(rows, "oracle")
        helps = [gain for gain, row in zip(ours, rows, strict=True) if row["transfer"] == "helps"]
        told = [(gain, row["expected"]) for gain, row in zip(ours, rows, strict=True) if row["chosen"] != "source_only"]
        held = sum(100 * ends[1] <= gain <= 100 * ends[2] for gain, ends in told)
        share = f"{100 * mean(ours) / mean(best):.0f} %" if mean(best) > 0 else ""
        judged += [(mean(ours), mean(best))] if source != "clipart" and HALF not in target and not labels else []
        cells: list[object] = [
            f"{source} → {target}",
            labels,
            len(rows),
            f"{mean(ours):+.1f}",
            f"{mean(best):+.1f}",
            share,
        ]
        cells += ["yes" if mean(ours) >= -1 else "no", f"{len(helps)}, {sum(gain > 0 for gain in helps)}"]
        print("| " + " | ".join(map(str, [*cells, f"{held} of {len(told)}"])) + " |")
    if judged:
        ours_all, best_all = (sum(one[k] for one in judged) for k in (0, 1))
        print(f"\nOn the judged pairs without labels: {100 * ours_all / best_all:.0f} % of the oracle's gain.")


if __name__ == "__main__":
    asked = sys.argv[1:]
    which = asked.pop(0) if asked[:1] in (["trained"], ["auto"], ["fresh"]) else ""
    jobs = {(): run, ("table",): table, ("choice",): choice}
    if tuple(asked) not in jobs:
        sys.exit(__doc__)
    jobs[tuple(asked)](which)
