#!/usr/bin/env python3
"""How transferable are features: `headstart study transferability` on the grids of bench/grids/transferability.toml.

python bench/transferability.py [glyphs|fashion|gpu]  run that study; it goes on where it was
python bench/transferability.py alone                 some cells of the glyphs, each as if there were no other
python bench/transferability.py kills                 a small grid killed again and again, against one that was not
python bench/transferability.py table                 print the tables of what is recorded
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from subsets import CASES

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/transferability.toml").read_text())
RECORDS = HERE / "records/transferability.jsonl"
CELLS = {name: HERE / f"records/transferability-{name}.jsonl" for name in ("glyphs", "fashion", "gpu")}
RUNS = HERE / "results/transferability"
TITLES = (
    ("coadaptation", "BnB − base"),
    ("specialisation", "AnB − BnB"),
    ("loss", "AnB − base"),
    ("gain", "AnB+ − base"),
    ("beyond", "AnB+ − BnB+"),
    ("over_random", "AnB − random"),
)
Row = dict[str, Any]


def words_of(name: str, out: Path) -> list[str]:
    """The command of a grid."""
    told = GRID[name]
    words: list[Any] = ["study", "transferability", CASES / told["data"], "--out", out, "--json"]
    words += ["--backbone", told["architecture"], "--size", told["size"], "--seeds", told["seeds"]]
    words += ["--budget", told["budget"], "--jobs", told["jobs"]]
    words += [word for split in told["splits"] for word in ("--split", split)]
    words += [word for cut in told["cuts"] for word in ("--cut", cut)]
    return [sys.executable, "-W", "ignore", "-m", "headstart", *map(str, words)]


def run(name: str) -> None:
    """One study, kept as its findings, its drops and what it took."""
    done = subprocess.run(words_of(name, RUNS / name), check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    plan, cells = found["plan"], found["cells"]
    bases = [cell for cell in cells if not cell["n"]]
    keep_cells(name, cells)
    keep(
        {
            "what": name,
            "findings": found["verdict"]["findings"],
            "parts": {kind: by["0"] for kind, by in found["verdict"]["parts"].items()},
            "distances": found["verdict"]["distances"],
            "epochs": plan["epochs"],
            "seeds": plan["seeds"],
            "cuts": plan["cuts"],
            "networks": len(cells),
            "cell_s": sum(cell["seconds"] for cell in cells),
            "total_s": found["spent"]["total_s"],
            "jobs": GRID[name]["jobs"],
            "bases": _mean([cell["value"] for cell in bases]),
            "late": _mean([_late(cell["curve"]) for cell in bases]),
            "machine": plan["machine"],
        }
    )


def cpu_s() -> float:
    """Processor seconds of all processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


def _late(curve: list[list[float]]) -> float:
    values = [value for _, value in curve]
    return values[-1] - values[-1 - max(1, len(values) // 4)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def alone() -> None:
    """Cells of the finished glyphs, each in a process of its own: images read, its bases trained, nothing stored.

    Processor seconds of each, beside those of the same cells in the grid and their share of the bases.
    """
    study = RUNS / "glyphs"
    records = [json.loads(line) for line in (study / "records.jsonl").read_text().splitlines()]
    plan = next(one for one in records if one["key"] == "plan")["detail"]
    cuts = sorted(plan["cuts"].items(), key=lambda pair: pair[1])
    ends = [cuts[0], cuts[-1]]
    chosen = [(name, n, cut) for cut, n in ends for name in ("BnB", "AnB", "BnB+", "AnB+", "random")]
    for name, n, cut in chosen[: GRID["alone"]["cells"]]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "ALONE": json.dumps([name, n, cut])}
        command = [sys.executable, "-W", "ignore", __file__, "one"]
        before = cpu_s()
        done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
        keep({"what": "alone", "treatment": name, "n": n, "cpu_s": cpu_s() - before, "training_s": float(done.stdout)})


def one() -> None:
    """A cell as if there were no other: what `alone` starts. It prints its processor seconds without reading images."""
    from functools import partial

    import torch

    from headstart.features import Passing
    from headstart.problem import read_labelled
    from headstart.problem.halves import Halves
    from headstart.records import Journal
    from headstart.runs.context import Context
    from headstart.runs.machine import cache_folder
    from headstart.runs.study import cells as cells_
    from headstart.runs.study.cells import Job, train_cell
    from headstart.runs.study.laboratory import Cell, Laboratory
    from headstart.runs.study.scheduling import Schedule
    from headstart.runs.study.tasks import Tasks
    from headstart.runs.study.transplanting import Transplanting

    torch.set_num_threads(1)
    name, n, cut = json.loads(os.environ["ALONE"])
    journal = Journal(RUNS / "glyphs/records.jsonl")
    plan, rate = journal.get("plan"), journal.get("rate")
    assert plan is not None and rate is not None
    told = {k: tuple(v) if isinstance(v, list) else v for k, v in plan.detail["options"].items()}
    options = Transplanting(**told)
    folder = RUNS / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    quiet = lambda *_: None  # noqa: E731
    context = Context(folder, Journal(folder / "none"), options, cache_folder(), torch.device("cpu"), quiet, quiet)
    labelled = read_labelled(Path(options.data))
    lab = Laboratory.opened(context, labelled)
    planned = Schedule.from_json(plan.detail)
    seed = planned.seeds[0]
    record = journal.get(f"halves/random/{seed}")
    assert record is not None
    numbers = {label: number for number, label in enumerate(labelled.task.classes)}
    halves = Halves(*(tuple(numbers[label] for label in record.detail[half]) for half in "AB"))
    tasks = Tasks(lab, {("random", seed): halves})
    # Alone, nobody else reads what a frozen part gives: it runs on every batch.
    cells_.activations = lambda model, images, **_: Passing(images, model.backbone.lower(model.frozen).eval())  # type: ignore[assignment, misc]
    cell = Cell("random", seed, "B", 0, name, n, cut)
    told = {"epochs": planned.epochs, "steps": planned.steps, "batch": planned.batch}
    job = partial(Job, **told, lr=rate.metrics["rate"])
    before = time.process_time()
    needed = {one for one in (cell.base, cell.source) if one is not None}
    for base in sorted(needed, key=lambda one: one.key):
        train_cell(lab, job(base, tasks.sides(base)))
    train_cell(lab, job(cell, tasks.sides(cell)))
    print(time.process_time() - before)


def kills() -> None:
    """A small grid, killed so many times at random moments, and the same grid in one go."""
    words = ["study", "transferability", CASES / "digits-uci", "--json", "--split", "random", "--seeds", 2]
    words += ["--epochs", 20, "--jobs", 2, "--cut", "layers.conv1", "--cut", "layers.conv4", "--cut", "layers.fc7"]
    command = [sys.executable, "-W", "ignore", "-m", "headstart", *map(str, words)]
    wanted, killed = GRID["kills"]["kills"], 0
    whole, broken = RUNS / "whole", RUNS / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    rng = random.Random(0)
    subprocess.run([*command, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
    differ = runs = 0
    while killed < wanted:
        shutil.rmtree(broken, ignore_errors=True)
        runs += 1
        while True:
            process = subprocess.Popen([*command, "--out", str(broken)], stdout=subprocess.DEVNULL)
            try:
                process.wait(timeout=rng.uniform(2, 25) if killed < wanted else None)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
        differ += measured(whole) != measured(broken)
    keep({"what": "kills", "kills": killed, "runs": runs, "differ": differ})


def measured(folder: Path) -> dict[str, Any]:
    """Everything that was measured, without the clock's part."""
    lines = map(json.loads, (folder / "records.jsonl").read_text().splitlines())
    kinds = ("trial", "cell", "rate", "verdict")
    return {one["key"]: (one.get("metrics"), one.get("detail")) for one in lines if one["what"] in kinds}


def keep(row: Row) -> None:
    """Write a row down; one of the same cell before it gives way."""
    same = [key for key in ("what", "treatment", "n") if key in row]
    others = [one for one in recorded() if any(one.get(key) != row[key] for key in same)]
    RECORDS.write_text("".join(json.dumps(one) + "\n" for one in [*others, row]))


def keep_cells(name: str, cells: list[Row]) -> None:
    """Write the value of every network of a grid down, beside that of its base: the table can be analysed again."""
    own = ("kind", "seed", "target", "labels")
    base = {tuple(cell[key] for key in own): cell["value"] for cell in cells if not cell["n"]}
    rows = [
        {key: cell[key] for key in (*own, "treatment", "n", "cut", "images", "value", "judged", "seconds")}
        | {"base": base[tuple(cell[key] for key in own)]}
        for cell in cells
    ]
    CELLS[name].write_text("".join(json.dumps(row) + "\n" for row in rows))


def recorded() -> list[Row]:
    """Everything that was measured."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def table() -> None:
    """Markdown: findings and drops of each grid, what sharing saves, what kills did."""
    rows = {row["what"]: row for row in recorded()}
    for name in CELLS:
        if name not in rows:
            print(f"\n**{name}**: not run.")
            continue
        row = rows[name]
        print(
            f"\n**{name}**: {row['networks']} networks, {row['epochs']} epochs each, {len(row['seeds'])} seeds,", end=""
        )
        print(f" {row['total_s'] / 60:.0f} min; bases {100 * row['bases']:.1f} % right,", end="")
        print(f" {100 * row['late']:+.1f} points over their last quarter.\n")
        print("| finding | here | points | p |\n|---|---|---|---|")
        for one in row["findings"]:
            print(f"| {one['name']} | {one['word']} | {points(one)} | {one['p']:.3f} |")
        for kind, parts in row["parts"].items():
            print(f"\n{kind} halves (distance {row['distances'][kind]:.2f}), points:\n")
            print(f"| n | {' | '.join(title for _, title in TITLES)} |\n|---|{'---|' * len(TITLES)}")
            for drop in parts["drops"]:
                print(f"| {drop['n']} | {' | '.join(points(drop[key]) for key, _ in TITLES)} |")
    shared(rows)
    if "kills" in rows:
        row = rows["kills"]
        print(f"\n{row['kills']} SIGKILLs, {row['runs']} studies brought to their end: {row['differ']} tables differ.")


def shared(rows: dict[str, Row]) -> None:
    """What the cells cost alone, beside the grid."""
    cells = [row for row in recorded() if row["what"] == "alone"]
    if not cells or "glyphs" not in rows:
        print("\nCells alone: not run.")
        return
    grid = rows["glyphs"]
    each = grid["jobs"] * grid["total_s"] / grid["networks"]  # all cores, all of the time: no less than was used
    own, trained = (_mean([row[key] for row in cells]) for key in ("cpu_s", "training_s"))
    print(f"\nProcessor seconds of a cell in the grid, all else shared out: {each:.1f}; alone: {trained:.1f}", end="")
    print(f" ({trained / each:.1f} times as much), with reading the images {own:.1f} ({own / each:.1f} times).")


def points(found: Row | None) -> str:
    """A difference with its interval."""
    if found is None:
        return ""
    ends = "" if found["low"] is None else f" ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
    return f"{100 * found['value']:+.1f}{ends}"


if __name__ == "__main__":
    asked = sys.argv[1:] or ["glyphs", "fashion", "alone", "kills"]
    RUNS.mkdir(parents=True, exist_ok=True)
    for what in asked:
        if what in CELLS:
            started = time.time()
            run(what)
            print(what, f"{time.time() - started:.0f} s")
        elif what in ("alone", "one", "kills", "table"):
            {"alone": alone, "one": one, "kills": kills, "table": table}[what]()
        else:
            sys.exit(__doc__)
