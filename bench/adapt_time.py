#!/usr/bin/env python3
"""What a whole adaptation of 2,000 and 2,000 images takes, by the command line on both cores.

python bench/adapt_time.py          run what the part [timed] of bench/grids/adapt.toml names and is not recorded yet
python bench/adapt_time.py table    print the table
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from adapt import GRID, HERE, RUNS
from domains import domain

TIMED = GRID["timed"]
RECORDS = HERE / "records/adapt-time.jsonl"


def run() -> None:
    """Each set of methods, with nothing stored: features, methods, choice, bundle and page."""
    from headstart.runs.machine import machine

    ends = [domain(name, RUNS / "tables", most=TIMED["images"], seed=0) for name in TIMED["pair"]]
    for methods in TIMED["bars"]:
        if methods in {row["methods"] for row in recorded()}:
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            words = ["adapt", ends[0], "--to", ends[1], "--out", out, "--method", methods, "--size", TIMED["size"]]
            words += ["--backbone", GRID["backbone"], "--json"]
            environment = os.environ | {"HEADSTART_CACHE": f"{folder}/cache"}
            started = time.perf_counter()
            command = [sys.executable, "-m", "headstart", *map(str, words)]
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            row = {"methods": methods, "seconds": time.perf_counter() - started, "machine": machine()}
            shutil.rmtree(out)
        with RECORDS.open("a") as file:
            file.write(json.dumps(row) + "\n")


def recorded() -> list[dict[str, Any]]:
    """All that has run."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def table() -> None:
    """Markdown: seconds beside the bar."""
    print("| `--method` | images | minutes | bar |\n|---|---|---|---|")
    found = {row["methods"]: row["seconds"] for row in recorded()}
    for methods, bar in TIMED["bars"].items():
        took = f"{found[methods] / 60:.1f}" if methods in found else "not run"
        print(f"| `{methods}` | {TIMED['images']:,} + {TIMED['images']:,} | {took} | {bar} |")


if __name__ == "__main__":
    jobs = {(): run, ("table",): table}
    if tuple(sys.argv[1:]) not in jobs:
        sys.exit(__doc__)
    jobs[tuple(sys.argv[1:])]()
