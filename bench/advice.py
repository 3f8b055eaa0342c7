#!/usr/bin/env python3
"""Is the advice right? Brute force on subsets of real cases: every strategy trained to the end, judged on test images.

python bench/advice.py [design|judge|truth]    run the cells of that part of bench/grids/advice.toml not recorded yet
python bench/advice.py wide                    those of the part whose other networks are fine-tuned too
python bench/advice.py own                     the first network of these cells, on the machine where the others were
python bench/advice.py frozen                  more draws of the training images for networks that stay frozen
python bench/advice.py table                   print the table of what is recorded

One cell is one process with one thread; two run side by side. A cell's record: what each strategy scored on the images
that a run would compare it on, image by image, its curves and processor seconds, and its test accuracy once it is
trained again on all labelled images.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from subsets import HERE, RUNS, classes_of, images_of, subset

GRID = tomllib.loads((HERE / "grids/advice.toml").read_text())
RECORDS = {what: HERE / f"records/advice{what and '-'}{what}.jsonl" for what in ("", "wide", "own", "frozen")}
SIDE_BY_SIDE = 2
FEWEST_OF_A_CLASS = 6
Row = dict[str, Any]
Cell = tuple[str, int, int]


def cells_of(part: str) -> list[Cell]:
    """Case, labelled images and seed of every cell, all sizes of a seed before the next one."""
    told = GRID[part]
    if "cells" in told:
        return [(case, n, seed) for case, n, seed in told["cells"]]
    cases = told["cases"] if "cases" in told else [told["case"]]
    sizes = told.get("sizes", GRID["sizes"])
    return [
        (case, n, seed)
        for seed in told["seeds"]
        for case in cases
        for n in sizes
        if FEWEST_OF_A_CLASS * classes_of(case) <= n < 0.75 * images_of(case)
    ]


def run(part: str) -> None:
    """All cells of a part that are not recorded, two at a time."""
    what = part if part in RECORDS else ""
    missing = [cell for cell in cells_of(part) if not done(cell, what)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(lambda cell: one_process(cell, what=what), missing))


def one_process(cell: Cell, *, script: str = __file__, what: str = "") -> None:
    """A cell in a process of its own; one that cannot run stays open, and does not hold up the others."""
    threads = str(GRID["threads"])
    told = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-W", "ignore", script, "cell", *filter(None, [what]), *map(str, cell)]
    if subprocess.run(command, env=os.environ | told).returncode:
        print("cannot run:", *cell, flush=True)


def networks_of(what: str, seed: int) -> dict[str, list[str]]:
    """The strategies of every network in a cell."""
    if what == "wide":
        return dict.fromkeys(GRID["frozen_only"], GRID["wide"]["strategies"])
    if what == "own":
        return {GRID["backbone"]: GRID["own"]["strategies"]}
    if what == "frozen":
        return {name: ["probe"] for name in (GRID["backbone"], *GRID["frozen_only"])}
    rows = [row for row in GRID["strategies"] if row != "scratch" or seed in GRID["scratch_seeds"]]
    return {name: ["probe"] for name in GRID["frozen_only"]} | {GRID["backbone"]: rows}


def brute_force(case: str, n: int, seed: int, what: str) -> Row:
    """Every strategy of every network on one subset."""
    import torch

    from headstart.advice import Plan
    from headstart.advice.costs import VIEWS
    from headstart.advice.plan import FEWEST_VALIDATION, FOLDS
    from headstart.backbones import load
    from headstart.problem import read_labelled
    from headstart.records import Journal
    from headstart.runs.candidates import run_candidate
    from headstart.runs.context import Context, kept_predictions
    from headstart.runs.finetuning import Source
    from headstart.runs.options import Options
    from headstart.runs.preparing import prepare
    from headstart.runs.probing import timed_probe
    from headstart.strategies import TABLE, frozen_cut

    torch.set_num_threads(GRID["threads"])
    folder = RUNS / "-".join(filter(None, [case, str(n), str(seed), what]))
    (folder / "work").mkdir(parents=True, exist_ok=True)
    table, test = subset(case, n, seed)
    options = Options(
        data=str(table),
        backbones=(GRID["backbone"],),
        seed=seed,
        size=GRID["size"],
        split=(0.75, 0.25, 0.0),
        device="cpu",
        strategy="auto",
        budget=1.0,
        metric="accuracy",
        margin=0.005,
        class_weight="none",
    )
    journal, cpu = Journal(folder / "records.jsonl"), torch.device("cpu")
    context = Context(folder, journal, options, folder / "cache", cpu, lambda *_: None, lambda _: None)
    prepared, _ = prepare(context, read_labelled(table))
    split = prepared.split
    both = np.sort(np.concatenate([split.train, split.val]))
    folds = FOLDS if len(split.val) < FEWEST_VALIDATION else None
    epochs = {row: GRID["epochs"] for row in GRID["strategies"] if TABLE[row].trains}
    epochs["scratch"] = GRID["scratch_epochs"]
    pool = both if folds else split.train
    found: dict[str, Row] = {}
    for backbone, rows in networks_of(what, seed).items():
        before = time.process_time()
        network = load(backbone, size=GRID["size"])
        views = {row: VIEWS if frozen_cut(TABLE[row], network.cuts) else 0 for row in epochs}
        plan = Plan(folds, {backbone: epochs}, {backbone: views}, {backbone: dict.fromkeys(epochs, 1)}, (), ())
        probed, features = timed_probe(context, prepared, network, indices=pool)
        source = Source(backbone, network.architecture, features, probed)
        # Of its own: checkpoints are named by the strategy alone.
        place = folder / backbone.rpartition("/")[2]
        (place / "work").mkdir(parents=True, exist_ok=True)
        one = replace(context, folder=place, journal=Journal(place / "records.jsonl"))
        for row in rows:
            record = run_candidate(one, prepared, plan, row=TABLE[row], source=source, raced=False)
            indices, shares = kept_predictions(place / record.detail["predictions"])
            found[named(row, backbone)] = {
                "value": record.metrics["value"],
                "right": packed(shares.argmax(1) == prepared.y[indices]),
                "curves": [thin(curve) for curve in record.detail["curves"]],
                "cut": record.cut,
                "head": record.recipe.get("head", ""),
                "cpu_s": time.process_time() - before,
            }
            judged = {"indices": indices, "groups": prepared.groups[indices]}
            before = time.process_time()
        refit(one, prepared, plan, source, found, both, test)
    return {
        "labelled": len(both),
        "test": len(test.y),
        "folds": folds,
        "judged": len(judged["indices"]),
        "groups": np.unique(judged["groups"], return_inverse=True)[1].tolist(),
        "strategies": found,
    }


def named(row: str, backbone: str) -> str:
    """What a strategy is called in the records: with its network, where that is not the grid's own."""
    return row if backbone == GRID["backbone"] else f"{row}/{backbone}"


def refit(
    context: Any, prepared: Any, plan: Any, source: Any, found: dict[str, Row], both: np.ndarray, test: Any
) -> None:
    """Train what came close once more on all labelled images, and judge it on test images."""
    from headstart.runs.candidates import fit_strategy
    from headstart.strategies import TABLE

    best = max(one["value"] for one in found.values())
    for key, one in found.items():
        row, _, backbone = key.partition("/")
        if (backbone or GRID["backbone"]) != source.backbone or "test" in one:
            continue
        if one["value"] < best - GRID["refit_within"] / 100 and row != "probe":
            continue
        before = time.process_time()
        name = f"again-{row}"
        made = fit_strategy(
            context, prepared, plan, row=TABLE[row], source=source, indices=both, name=name, again=row == "probe"
        )
        one["again_cpu_s"] = time.process_time() - before
        right = test.right(made.model)
        one["test"], one["test_right"] = float(right.mean()), packed(right)


def packed(right: np.ndarray) -> str:
    """Booleans as text."""
    return base64.b85encode(np.packbits(right).tobytes()).decode()


def unpacked(text: str, n: int) -> np.ndarray:
    """Inverse of `packed`."""
    bits: np.ndarray = np.unpackbits(np.frombuffer(base64.b85decode(text), "u1"))[:n].astype(bool)
    return bits


def thin(curve: Row) -> Row:
    """Loss and value of every epoch, and why training ended."""
    points = [(round(p["loss"], 4), round(p["value"], 4)) for p in curve["points"]]
    return {"points": points, "best_epoch": curve["best_epoch"], "stopped": curve["stopped"]}


def recorded(what: str = "") -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS[what].read_text().splitlines()] if RECORDS[what].exists() else []


def done(cell: Cell, what: str) -> bool:
    """Whether a cell is recorded."""
    return any((row["case"], row["n"], row["seed"]) == cell for row in recorded(what))


def one_cell(case: str, n: str, seed: str, what: str = "") -> None:
    """Run a cell and write it down as one line."""
    from headstart.runs.machine import machine

    RUNS.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    row: Row = {"case": case, "n": int(n), "seed": int(seed)}
    row |= brute_force(case, int(n), int(seed), what) | {"wall_s": time.perf_counter() - started, "machine": machine()}
    with RECORDS[what].open("a") as file:
        file.write(json.dumps(row) + "\n")


def table() -> None:
    """Markdown: a line a cell; what was chosen on the images that a run compares on, judged on the others."""
    print("| case | labels | seed | best frozen | best of all | oracle | from scratch | frozen random |", end="")
    print(" frozen / all, processor time |\n|---|---|---|---|---|---|---|---|---|")
    for row in sorted(recorded(), key=lambda row: (row["case"], row["n"], row["seed"])):
        tried = row["strategies"]
        judged = {key: one for key, one in tried.items() if "test" in one}
        frozen = {key: one for key, one in judged.items() if key.startswith("probe")}
        chosen, best = (max(among, key=lambda key: among[key]["value"]) for among in (frozen, judged))
        oracle = max(judged, key=lambda key: judged[key]["test"])
        cells = [f"{said(key)} {100 * judged[key]['test']:.1f}" for key in (chosen, best, oracle)]
        cells += [control(tried[key]) if key in tried else "not run" for key in ("scratch", "frozen_random")]
        spent = sum(tried[key]["cpu_s"] for key in frozen) / sum(one["cpu_s"] for one in tried.values())
        print(f"| {row['case']} | {row['n']} | {row['seed']} | {' | '.join(cells)} | {spent:.2f} |")
    wanted = [cell for part in ("design", "judge", "truth") for cell in cells_of(part)]
    print(f"\n{len(recorded())} of {len(wanted)} cells have run; the others are open.")


def said(key: str) -> str:
    """A strategy, with the network where that is not the grid's own."""
    row, _, backbone = key.partition("/")
    return f"`{row}`" + (f" {backbone.rpartition('_')[2]}" if backbone else "")


def control(one: Row) -> str:
    """Test accuracy where it was trained on all labels; else what it had on validation, in brackets."""
    return f"{100 * one['test']:.1f}" if "test" in one else f"({100 * one['value']:.1f} on validation)"


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked == ["table"]:
        table()
    elif asked[:1] == ["cell"] and asked[1] in RECORDS:
        one_cell(*asked[2:], asked[1])
    elif asked[:1] == ["cell"]:
        one_cell(*asked[1:])
    elif set(asked) <= {"design", "judge", "truth", "wide", "own", "frozen"}:
        for part in asked or ("design", "judge", "truth"):
            run(part)
    else:
        sys.exit(__doc__)
