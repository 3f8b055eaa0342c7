#!/usr/bin/env python3
"""How many labels: a forecast from half of the labels, against what is measured with all of them.

python bench/labels.py [CASE ...]          run the cells of bench/grids/labels.toml that are not recorded yet
python bench/labels.py trained [CASE ...]  the same of networks that are trained: the grid's table of that name
python bench/labels.py table               print the tables
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import labels_trained
import numpy as np
import torch

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/labels.toml").read_text())
RECORDS = HERE / "records/labels.jsonl"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()


def run(cases: list[str]) -> None:
    """All cells of these cases."""
    for case in cases:
        wanted = [seed for seed in GRID["seeds"] if (case, seed) not in {(r["case"], r["seed"]) for r in recorded()}]
        if wanted:
            z, y, groups = features(case)
            for seed in wanted:
                note({"case": case, "seed": seed, **cell(z, y, groups, seed)})


def features(case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a case's images, their classes, and their groups of duplicates."""
    from headstart.backbones import load
    from headstart.data import find_duplicates, merge_groups, survey
    from headstart.features import extract
    from headstart.problem import Domain, read_labelled
    from headstart.runs.machine import cache_folder
    from headstart.shallow import evenly

    labelled, size = read_labelled(CASES / case), GRID["size"][case]
    kept = evenly(np.arange(len(labelled)), labelled.y, GRID["images"])
    domain = Domain(case, tuple(labelled.x.images[i] for i in kept))
    looked = survey(domain, size, cache=cache_folder())
    usable = np.array([i for i, key in enumerate(looked.ids) if key])
    network = load(GRID["backbone"], size=size)
    found = extract(network, looked, usable, cache=cache_folder(), device=torch.device("cpu"), progress=lambda *_: None)
    groups = merge_groups(find_duplicates(looked).groups, None)
    return found.at(GRID["cut"]), labelled.y[kept][usable], groups[usable]


def cell(z: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, Any]:
    """Forecast and measurement of one seed."""
    from headstart.data import folds
    from headstart.evidence.learning_curves import fit_curve, forecast
    from headstart.runs.labels import curves
    from headstart.runs.machine import machine
    from headstart.runs.sampling import nested_draws

    half = folds(y, groups, 2, seed=seed)[0][0]
    more = {"replicates": GRID["replicates"], "seed": seed}
    sizes, draws = nested_draws(y[half], groups[half], **more)
    values = curves(z[half], y[half], draws, sizes=sizes)
    all_sizes, draws = nested_draws(y, groups, **more)
    reached = curves(z, y, draws, sizes=all_sizes)
    curve = fit_curve(sizes, values, independent=GRID["replicates"], seed=seed)
    return {
        "labels": len(y),
        "half": len(half),
        "sizes": sizes,
        "values": values.mean(axis=0).tolist(),
        "at": all_sizes[-1],
        "forecast": asdict(forecast(curve, all_sizes[-1], level=GRID["level"])),
        "measured": float(reached[:, -1].mean()),
        "machine": machine(),
    }


def recorded() -> list[dict[str, Any]]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def note(row: dict[str, Any]) -> None:
    """One cell, one line."""
    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def table() -> None:
    """Markdown: each case, and all of them against the bar."""
    print("| case | seeds | fitted up to | forecast at | forecast − measured, points | width | covered | naive |")
    print("|---|---|---|---|---|---|---|---|")
    for case in [*GRID["cases"], "all"]:
        rows = [row for row in recorded() if case in (row["case"], "all")]
        if not rows:
            print(f"| {case} | not run | | | | | | |")
            continue
        errors = [100 * (row["forecast"]["value"] - row["measured"]) for row in rows]
        width = mean(100 * (row["forecast"]["high"] - row["forecast"]["low"]) for row in rows)
        sizes = (f"{rows[0]['sizes'][-1]:,}", f"{rows[0]['at']:,}") if case != "all" else ("", "")
        told = f"{mean(errors):+.1f} ({min(errors):+.1f} to {max(errors):+.1f}) | {width:.1f}"
        shares = f"{share(rows, 'measured')} | {share(rows, 'naive')}"
        print(f"| {case} | {len(rows)} | {' | '.join(sizes)} | {told} | {shares} |")
    covered = [inside(row, row["measured"]) for row in recorded()]
    if covered:
        print(f"\nCovered: {100 * mean(covered):.0f} % of {len(covered)} cells; bar: {100 * GRID['bar']:.0f} %.")


def share(rows: list[dict[str, Any]], what: str) -> str:
    """How many intervals hold what was measured, or what half of the labels reached."""
    values = [row["measured"] if what == "measured" else row["values"][-1] for row in rows]
    return f"{sum(inside(row, value) for row, value in zip(rows, values, strict=True))} of {len(rows)}"


def inside(row: dict[str, Any], value: float) -> bool:
    """Whether the forecast's interval holds a value."""
    return bool(row["forecast"]["low"] <= value <= row["forecast"]["high"])


if __name__ == "__main__":
    asked = sys.argv[1:]
    trained = asked[:1] == ["trained"]
    cases = GRID["trained"]["cases"] if trained else GRID["cases"]
    if asked != ["table"]:
        wanted = asked[trained:]
        if not set(wanted) <= set(cases):
            sys.exit(__doc__)
        (labels_trained.run if trained else run)(wanted or cases)
    table()
    labels_trained.table()
