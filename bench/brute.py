#!/usr/bin/env python3
"""What the answer costs: a whole `fit` with three backbones against fine-tuning each of them, and against trying all.

python bench/brute.py            run the cells of bench/grids/brute.toml that are not recorded yet
python bench/brute.py table      print the table

Brute force is every backbone times every strategy of the search, trained from the images to the end. The whole
fine-tuning of every backbone is really run (its accuracy is needed); of the other strategies one epoch is timed
and counted as often as they would train.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/brute.toml").read_text())
RECORDS = HERE / "records/brute.jsonl"
RUNS = HERE / "results/brute"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
Row = dict[str, Any]


def run() -> None:
    """All cells: the command, then brute force on its split."""
    for seed in GRID["seeds"]:
        for case in GRID["cases"]:
            if not done(what="fit", case=case, seed=seed):
                note({"what": "fit", "case": case, "seed": seed, **whole_fit(case, seed)})
            for backbone in GRID["backbones"]:
                if not done(what="tuned", case=case, seed=seed, backbone=backbone):
                    command = [sys.executable, __file__, "tune", case, str(seed), backbone]
                    subprocess.run(command, check=True)
            if not done(what="best", case=case, seed=seed):
                tuned = [row for row in recorded() if row["what"] == "tuned" and row["case"] == case]
                best = max((row for row in tuned if row["seed"] == seed), key=lambda row: row["val"])
                subprocess.run([sys.executable, __file__, "again", case, str(seed), best["backbone"]], check=True)
            if not done(what="half", case=case, seed=seed):
                tuned = [row for row in recorded() if row["what"] == "tuned" and row["case"] == case]
                budget = GRID["half"]["share"] * sum(row["wall_s"] for row in tuned if row["seed"] == seed)
                note({"what": "half", "case": case, "seed": seed, **whole_fit(case, seed, budget=budget)})


def whole_fit(case: str, seed: int, *, budget: float | None = None) -> Row:
    """One run of the command line with an empty cache: wall and processor time, and what it handed back."""
    name = f"{case}-{seed}" + ("-half" if budget else "")
    out, environment = RUNS / name, os.environ | {"HEADSTART_CACHE": str(RUNS / f"{name}-cache")}
    command = ["-m", "headstart", "fit", CASES / case, "--out", out, "--seed", seed, "--size", GRID["size"]]
    command += ["--budget", f"{budget:.0f}s"] if budget else []
    for backbone in GRID["backbones"]:
        command += ["--backbone", backbone]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *map(str, command)], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = {row["key"]: row for row in map(json.loads, (out / "records.jsonl").read_text().splitlines())}
    outside = sum(rows[key]["cost"]["seconds"] for key in ("candidate/scratch", "final") if key in rows)
    wall = time.perf_counter() - started
    return {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # The search is all but the last training and the control that is trained from scratch.
        "search_s": wall - outside,
        "accuracy": rows["test"]["metrics"]["value"],
        "strategy": rows["verdict"]["strategy"],
    }


def tune(what: str, case: str, seed: str, backbone: str) -> None:
    """One backbone by brute force, on the split of the command's run; `again`: on all but the test part."""
    import torch

    from headstart.problem import read_labelled
    from headstart.records import Journal
    from headstart.runs.candidates import fit_strategy, probabilities
    from headstart.runs.context import Context
    from headstart.runs.finetuning import Source
    from headstart.runs.options import Options
    from headstart.runs.planning import plan_of
    from headstart.runs.preparing import prepare
    from headstart.runs.probing import timed_probe
    from headstart.strategies import TABLE

    folder, cpu = RUNS / f"{case}-{seed}", torch.device("cpu")
    first = Journal(folder / "records.jsonl").get("plan")
    assert first is not None
    told = {k: tuple(v) if isinstance(v, list) else v for k, v in first.detail["options"].items()}
    options = Options(**told)
    mine = RUNS / f"{case}-{seed}-{backbone.rpartition('/')[2]}"
    (mine / "work").mkdir(parents=True, exist_ok=True)
    cache = RUNS / f"{case}-{seed}-cache"
    context = Context(mine, Journal(mine / "records.jsonl"), options, cache, cpu, lambda *_: None, lambda _: None)
    prepared, _ = prepare(context, read_labelled(options.data))
    split = prepared.split
    network = load_named(backbone)
    probed, features = timed_probe(context, prepared, network, indices=split.train)
    source = Source(backbone, network.architecture, features, probed)

    def once(row: str, epochs: int, indices: np.ndarray, name: str) -> tuple[Any, float, float]:
        plan = replace(
            plan_of(first), epochs={backbone: {row: epochs}}, views={backbone: {row: 0}}, trials={backbone: {row: 1}}
        )
        wall, processor = time.perf_counter(), time.process_time()
        made = fit_strategy(context, prepared, plan, row=TABLE[row], source=source, indices=indices, name=name)
        return made, time.perf_counter() - wall, time.process_time() - processor

    if what == "again":
        both = np.sort(np.concatenate([split.train, split.val]))
        made, _, _ = once("all", GRID["epochs"], both, "again")
        predicted = probabilities(context, prepared, made.model, split.test).argmax(1)
        right = float((predicted == prepared.y[split.test]).mean())
        note({"what": "best", "case": case, "seed": int(seed), "backbone": backbone, "test": right})
        return
    costs = {}
    for row, epochs in GRID["others"].items():
        _, wall, processor = once(row, 1, split.train, f"one-{row}")
        costs[row] = {"wall_s": wall * epochs, "cpu_s": processor * epochs}
    made, wall, processor = once("all", GRID["epochs"], split.train, "all")
    value = float((probabilities(context, prepared, made.model, split.val).argmax(1) == prepared.y[split.val]).mean())
    note(
        {
            "what": "tuned",
            "case": case,
            "seed": int(seed),
            "backbone": backbone,
            "wall_s": wall,
            "cpu_s": processor,
            "epochs": made.curve.epoch if made.curve else 0,
            "others": costs,
            "val": value,
        }
    )


def load_named(backbone: str) -> Any:
    """The network at the grid's size."""
    from headstart.backbones import load

    return load(backbone, size=GRID["size"])


def recorded() -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def done(**wanted: object) -> bool:
    """Whether a cell is recorded."""
    return any(all(row.get(k) == v for k, v in wanted.items()) for row in recorded())


def note(row: Row) -> None:
    """One cell, one line."""
    from headstart.runs.machine import machine

    with RECORDS.open("a") as file:
        file.write(json.dumps(row | {"machine": machine()}) + "\n")


def table() -> None:
    """Markdown of what is recorded; the network that brute force hands back is chosen on the validation part."""
    print("| case, seed | `fit` with | wall | all of each network | ratio (bar 0.5) |", end="")
    print(" search / brute force (bar 0.1) | handed back | best fully fine-tuned |\n|---|---|---|---|---|---|---|---|")
    for fit in (row for row in recorded() if row["what"] in ("fit", "half")):
        cell = {"case": fit["case"], "seed": fit["seed"]}
        tuned = [r for r in recorded() if r["what"] == "tuned" and {k: r[k] for k in cell} == cell]
        if len(tuned) < len(GRID["backbones"]):
            continue
        three = sum(row["wall_s"] for row in tuned)
        brute = sum(row["cpu_s"] + sum(other["cpu_s"] for other in row["others"].values()) for row in tuned)
        search = fit["cpu_s"] * fit["search_s"] / fit["wall_s"]
        found = [row for row in recorded() if row["what"] == "best" and {k: row[k] for k in cell} == cell]
        best = found[0] if found else {"test": float("nan"), "backbone": "not yet"}
        budget = "the default budget" if fit["what"] == "fit" else "half of its time as the budget"
        seconds = f"{fit['wall_s']:.0f} s | {three:.0f} s | {fit['wall_s'] / three:.2f}"
        values = f"{100 * fit['accuracy']:.1f} ({fit['strategy']}) | {100 * best['test']:.1f} ({best['backbone']})"
        print(f"| {fit['case']}, {fit['seed']} | {budget} | {seconds} | {search / brute:.3f} | {values} |")


if __name__ == "__main__":
    if sys.argv[1:2] in (["tune"], ["again"]):
        tune(*sys.argv[1:])
    elif sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    else:
        if not sys.argv[1:]:
            run()
        table()
