#!/usr/bin/env python3
"""Every way to adapt beside fine-tuning everything, on the images that a run compares its candidates on.

python bench/ways.py                  run the cells of bench/grids/ways.toml that are not recorded yet, all parts
python bench/ways.py table [added]    print the table, of the rows added later
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/ways.toml").read_text())
RECORDS = {"": HERE / "records/ways.jsonl", "added": HERE / "records/ways-added.jsonl"}
ROWS = {"": ",".join(GRID["rows"]), "added": ",".join(GRID["added"]["rows"])}
RUNS = HERE / "results/ways"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
TIE = 0.5
"""Points that count as a tie, as the grid says."""


def run() -> None:
    """All cells that are not recorded, two at a time on one thread each."""
    cells = [
        (part, case, seed)
        for part in RECORDS
        for seed in GRID["seeds"]
        for case in GRID["cases"]
        if not any((row["case"], row["seed"]) == (case, seed) for row in recorded(part))
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda cell: one(*cell), cells))


def one(part: str, case: str, seed: int) -> None:
    """The command line, and what its records say of every candidate."""
    from headstart.runs.machine import machine

    out = RUNS / "-".join(filter(None, (part, case, str(seed))))
    command = ["fit", CASES / case, "--out", out, "--strategy", ROWS[part], "--seed", seed]
    for option in ("backbone", "size", "budget"):
        command += [f"--{option}", GRID[option]]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    subprocess.run([sys.executable, "-m", "headstart", *map(str, command)], check=True, env=os.environ | threads)
    rows = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    ways = {
        row["strategy"]: {
            "value": row["metrics"]["value"],
            "seconds": row["cost"]["seconds"],
            "epochs": row["cost"]["epochs"],
            "trainable": row["detail"]["trainable"],
        }
        for row in rows
        if row["what"] == "candidate"
    }
    with RECORDS[part].open("a") as file:
        file.write(json.dumps({"case": case, "seed": seed, "ways": ways, "machine": machine()}) + "\n")


def recorded(part: str) -> list[dict[str, Any]]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS[part].read_text().splitlines()] if RECORDS[part].exists() else []


def table(part: str = "") -> None:
    """Markdown: mean over seeds, and the difference to `all` seed by seed."""
    print("| case | way | accuracy, mean | against `all`, points: mean (least to most) | trains | seconds | |")
    print("|---|---|---|---|---|---|---|")
    for case in GRID["cases"]:
        cells = [row["ways"] for row in recorded(part) if row["case"] == case]
        if not cells:
            print(f"| {case} | not run | | | | | |")
        for way in cells[0] if cells else ():
            found = [cell[way] for cell in cells if {way, "all"} <= cell.keys()]
            apart = [
                100 * (cell[way]["value"] - cell["all"]["value"]) for cell in cells if way in cell and "all" in cell
            ]
            if not found:
                print(f"| {case} | `{way}` | not afforded | | | | |")
                continue
            said = judged(way, apart)
            differs = f"{mean(apart):+.1f} ({min(apart):+.1f} to {max(apart):+.1f})"
            value, seconds = (mean(one[key] for one in found) for key in ("value", "seconds"))
            size = found[0]["trainable"]
            print(f"| {case} | `{way}` | {100 * value:.1f} | {differs} | {size:,} | {seconds:.0f} | {said} |")


def judged(way: str, apart: list[float]) -> str:
    """What the grid's bar says, once all of its seeds have run."""
    from headstart.strategies import TABLE

    if way == "all" or TABLE[way].control:
        return "control" if TABLE[way].control else ""
    if len(apart) < len(GRID["seeds"]):
        return f"open: {len(apart)} of {len(GRID['seeds'])} seeds"
    return "beats or ties" if mean(apart) >= -TIE else "does not help here"


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"], ["table", "added"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        run()
    table(*sys.argv[2:])
