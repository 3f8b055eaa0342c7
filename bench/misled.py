#!/usr/bin/env python3
"""Is a source that misleads found? A network trained on permuted labels until its features say little, as a backbone.

python bench/misled.py          run the cells of bench/grids/misled.toml that are not recorded yet
python bench/misled.py table    print the table
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from subsets import CASES, HERE, subset

GRID = tomllib.loads((HERE / "grids/misled.toml").read_text())
RECORDS = HERE / "records/misled.jsonl"
RUNS = HERE / "results/misled"
Row = dict[str, Any]


def weights(seed: int) -> Path:
    """The misled network of a seed, trained where it is not there yet."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from headstart.backbones import load_random
    from headstart.data import survey
    from headstart.problem import read_labelled
    from headstart.runs.machine import cache_folder

    path = RUNS / f"misled-{seed}.safetensors"
    if path.exists():
        return path
    told, rng = GRID["source"], np.random.default_rng(seed)
    labelled = read_labelled(CASES / told["case"])
    labelled = labelled.subset(np.sort(rng.choice(len(labelled), told["images"], replace=False)))
    looked = survey(labelled.x, told["size"], cache=cache_folder())
    y = torch.from_numpy(rng.permutation(labelled.y))
    backbone = load_random(GRID["architecture"], size=told["size"], seed=seed)
    x = backbone.preprocessing.tensor(looked.pixels(np.arange(len(labelled))))
    torch.manual_seed(seed)
    model = nn.Sequential(backbone.upper(""), nn.Linear(backbone.widths["top"], int(y.max()) + 1)).train()
    options = {"lr": told["lr"], "momentum": 0.9, "weight_decay": told["weight_decay"]}
    optimizer = torch.optim.SGD(model.parameters(), **options)
    for _ in range(told["epochs"]):
        for batch in torch.randperm(len(y)).split(told["batch"]):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    save_file({name: tensor.contiguous() for name, tensor in backbone.network.state_dict().items()}, path)
    return path


def run() -> None:
    """Every case and seed: the command line with the misled network, and its verdict."""
    from headstart.runs.machine import machine

    RUNS.mkdir(parents=True, exist_ok=True)
    done = {(row["case"], row["seed"]) for row in recorded()}
    for seed in GRID["seeds"]:
        for case in GRID["cases"]:
            if (case, seed) in done:
                continue
            table, _ = subset(case, GRID["labels"], seed)
            out = RUNS / f"{case}-{seed}"
            words = ["fit", table, "--out", out, "--size", GRID["size"], "--seed", seed, "--split", "75/25/0", "--json"]
            words += ["--budget", GRID["budget"], "--backbone", f"file:{weights(seed)}@{GRID['architecture']}"]
            command = [sys.executable, "-m", "headstart", *map(str, words)]
            said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            row: Row = {"case": case, "seed": seed, "verdict": said["verdict"], "machine": machine()}
            row["values"] = {one["strategy"]: one["value"] for one in said["candidates"]}
            with RECORDS.open("a") as file:
                file.write(json.dumps(row) + "\n")


def recorded() -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def table() -> None:
    """Markdown: a line a case."""
    print("| case | seeds | from it, % right | frozen random | from scratch | over the best control, points | said |")
    print("|---|---|---|---|---|---|---|")
    for case in GRID["cases"]:
        rows = [row for row in recorded() if row["case"] == case]
        if not rows:
            print(f"| {case} | not run | | | | | |")
            continue
        best = mean(row["values"][row["verdict"]["best"]] for row in rows)
        controls = [told(rows, name) for name in ("frozen_random", "scratch")]
        over = [min(d["difference"] for d in row["verdict"]["comparisons"] if d["b"] in CONTROLS) for row in rows]
        said = ", ".join(f"{row['verdict']['kind']} ({row['verdict']['transfer']})" for row in rows)
        cells = [case, f"{len(rows)}", f"{100 * best:.1f}", *controls, ", ".join(f"{100 * d:+.1f}" for d in over), said]
        print(f"| {' | '.join(cells)} |")


CONTROLS = ("frozen_random", "scratch")


def told(rows: list[Row], name: str) -> str:
    """Mean value of a control, where it was run."""
    values = [row["values"][name] for row in rows if name in row["values"]]
    return f"{100 * mean(values):.1f}" if values else "not run"


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    table() if sys.argv[1:] else run()
