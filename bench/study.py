#!/usr/bin/env python3
"""Transferability scores back-tested: which of them would have chosen well among networks that were fine-tuned.

python bench/study.py [CASE ...]   run the cells of bench/grids/study.toml that are not recorded yet
python bench/study.py table        print the table
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/study.toml").read_text())
RECORDS = HERE / "records/study.jsonl"
RUNS = HERE / "results/study"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()


def run(cases: list[str]) -> None:
    """Every case: the command line, which goes on where it was, and the document that it prints."""
    from headstart.runs.machine import machine

    for case in cases:
        if case in {row["case"] for row in recorded()}:
            continue
        words = ["study", "ranking", CASES / case, "--out", RUNS / case, "--json"]
        for name in GRID["backbones"]:
            words += ["--backbone", name]
        for option in ("size", "strategy", "budget", "repeats", "seed"):
            words += [f"--{option}", GRID[option]]
        command = [sys.executable, "-m", "headstart", *map(str, words)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        note({"case": case, "found": json.loads(done.stdout), "machine": machine()})


def recorded() -> list[dict[str, Any]]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def note(row: dict[str, Any]) -> None:
    """One cell, one line."""
    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def table() -> None:
    """Markdown: the networks as fine-tuned, then the scores, of every case."""
    rows = {row["case"]: row["found"] for row in recorded()}
    print("| case | network | fine-tuned, % right | best probe |")
    print("|---|---|---|---|")
    for case in GRID["cases"]:
        for one in rows[case]["networks"] if case in rows else ():
            print(f"| {case} | {one['backbone']} | {told(one['accuracy'], 100, '.1f')} | {100 * one['probe']:.1f} |")
        if case not in rows:
            print(f"| {case} | not run | | |")
    print("\n| case | score | weighted τ | of the pretrained | regret@1, points | against the probe | keeps the best |")
    print("|---|---|---|---|---|---|---|")
    for case in GRID["cases"]:
        for name, one in rows[case]["scores"].items() if case in rows else ():
            numbers = (
                told(one["tau"], 1, ".2f"),
                told(one["tau_among"], 1, ".2f"),
                told(one["regret"], 100, ".1f"),
                told(one["against"], 100, "+.1f"),
                f"{told(one['kept'], 100, '.0f')} %, of {one['tied']:.1f} tied",
            )
            print(f"| {case} | `{name}` | {' | '.join(numbers)} |")
        if case in rows:
            print(f"| {case} | a blind draw | | | {told(rows[case]['blind'], 100, '.1f')} | | |")
    for case, found in rows.items():
        print(f"\n{case}: {found['sentence']}")


def told(found: dict[str, float | None] | None, scale: float, form: str) -> str:
    """A value with its interval."""
    if found is None or found["value"] is None:
        return "–"
    if found["low"] is None or found["high"] is None:
        return f"{scale * found['value']:{form}} (no interval)"
    return f"{scale * found['value']:{form}} ({scale * found['low']:{form}} to {scale * found['high']:{form}})"


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked != ["table"]:
        if not set(asked) <= set(GRID["cases"]):
            sys.exit(__doc__)
        run(asked or GRID["cases"])
    table()
