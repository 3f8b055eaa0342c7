"""The back-test of `bench/labels.py` for networks that are trained: curves of half of the labels, judged on all.

The plan of trainings is that of the grid, not of a clock. What is trained goes into a folder of its own, which an
interrupted cell goes on in: LABELS_DIR, or ~/.cache/headstart-bench-labels.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/labels.toml").read_text())
TRAINED = GRID["trained"]
RECORDS = HERE / "records/labels_trained.jsonl"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
FOLDER = Path(os.environ.get("LABELS_DIR", "~/.cache/headstart-bench-labels")).expanduser()


def run(cases: list[str]) -> None:
    """All cells of these cases."""
    done = {(row["case"], row["seed"]) for row in recorded()}
    for case in cases:
        for seed in TRAINED["seeds"]:
            if (case, seed) not in done:
                found = cell(CASES / case, FOLDER / f"{case}-{seed}", TRAINED, seed)
                RECORDS.parent.mkdir(exist_ok=True)
                with RECORDS.open("a") as file:
                    file.write(json.dumps({"case": case, "seed": seed, **found}) + "\n")


def cell(data: Path, folder: Path, grid: dict[str, Any], seed: int, backbone: str = GRID["backbone"]) -> dict[str, Any]:
    """Forecast from half of the labels and measurement with all of them, of the frozen network and of each strategy."""
    from headstart.backbones import load
    from headstart.data import folds
    from headstart.evidence.learning_curves import fit_curve, forecast
    from headstart.features import extract
    from headstart.problem import read_labelled
    from headstart.runs.fit import torch_device
    from headstart.runs.labels import curves
    from headstart.runs.machine import cache_folder, machine
    from headstart.runs.options import Options
    from headstart.runs.preparing import read
    from headstart.runs.sampling import nested_draws
    from headstart.shallow import evenly

    options = Options(
        data=str(data),
        backbones=(backbone,),
        seed=seed,
        size=grid["size"],
        split=(0.6, 0.2, 0.2),
        device="auto",
        strategy="all",
        budget=1.0,
        metric="accuracy",
        margin=0.0,
        class_weight="none",
    )
    prepared = read(read_labelled(data), options, cache=cache_folder(), progress=quiet)
    usable = np.array([i for i, key in enumerate(prepared.survey.ids) if key])
    pool = evenly(usable, prepared.y, grid["images"])
    network = load(backbone, size=grid["size"])
    place = torch_device("auto")
    features = extract(network, prepared.survey, pool, cache=cache_folder(), device=place, progress=quiet)
    y, groups, z = prepared.y[pool], prepared.groups[pool], features.at(GRID["cut"])
    half = folds(y, groups, 2, seed=seed)[0][0]
    found: dict[str, Any] = {"labels": len(pool), "half": len(half), "machine": machine()}
    level, independent = GRID["level"], grid["replicates"]
    values: dict[str, dict[str, np.ndarray]] = {}
    for name, rows in (("half", half), ("all", np.arange(len(pool)))):
        sizes, draws = nested_draws(y[rows], groups[rows], replicates=independent, seed=seed)
        frozen = curves(z[rows], y[rows], draws, sizes=sizes)
        wanted = (sizes[-1],) if name == "all" else sizes[::-2][: grid["sizes"]][::-1]
        trained = _trained(options, prepared, folder / name, (network, features, pool[rows], draws), wanted, grid)
        values[name] = {"probe": frozen[:, [sizes.index(n) for n in wanted]], **trained}
        found |= {"sizes": wanted} if name == "half" else {"at": wanted[0]}
    for row, reached in values["half"].items():
        curve = fit_curve(found["sizes"], reached, independent=independent, seed=seed)
        found[row] = {
            "values": reached.tolist(),
            "forecast": asdict(forecast(curve, found["at"], level=level)),
            "measured": values["all"][row][:, 0].tolist(),
        }
    return found


def _trained(
    options: Any, prepared: Any, folder: Path, start: tuple[Any, ...], sizes: tuple[int, ...], grid: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Accuracies ``(replicates, s)`` of each strategy, by the trainings that the grid plans."""
    from headstart.advice.growth import Growth
    from headstart.records import Journal
    from headstart.runs.context import Context
    from headstart.runs.fit import torch_device
    from headstart.runs.growing import Start, grow
    from headstart.runs.machine import cache_folder

    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "records.jsonl")
    context = Context(folder, journal, options, cache_folder(), torch_device("auto"), quiet, lambda record: None)
    growth = Growth(grid["epochs"], tuple(sizes), grid["replicates"], (), ())
    records = grow(context, prepared, Start(*start), growth)
    return {row: np.array([[r.metrics["value"] for r in one] for one in found]) for row, found in records.items()}


def quiet(stage: str, done: int, total: int) -> None:
    """Say nothing."""


def recorded() -> list[dict[str, Any]]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def table() -> None:
    """Markdown: each case and strategy against the bar, and the sign of fine-tuned minus frozen."""
    print("\n| case | trained | seeds | fitted up to | forecast at | forecast − measured, points | covered | naive |")
    print("|---|---|---|---|---|---|---|---|")
    for case in TRAINED["cases"]:
        rows = [row for row in recorded() if row["case"] == case]
        for name in TRAINED["epochs"] if rows else ():
            errors = [100 * (row[name]["forecast"]["value"] - mean(row[name]["measured"])) for row in rows]
            told = f"{mean(errors):+.1f} ({min(errors):+.1f} to {max(errors):+.1f})"
            covered = sum(inside(row[name], mean(row[name]["measured"])) for row in rows)
            naive = sum(inside(row[name], mean(one[-1] for one in row[name]["values"])) for row in rows)
            sizes = f"{rows[0]['sizes'][-1]:,} | {rows[0]['at']:,}"
            print(
                f"| {case} | {name} | {len(rows)} | {sizes} | {told} | {covered} of {len(rows)} | "
                f"{naive} of {len(rows)} |"
            )
        if not rows:
            print(f"| {case} | not run | | | | | | |")
    cells = recorded()
    if cells:
        covered = mean(inside(row["all"], mean(row["all"]["measured"])) for row in cells)
        agreed = sum(same_sign(row) for row in cells)
        bar = f"bar: {100 * GRID['bar']:.0f} %"
        print(f"\nFine-tuned, covered: {100 * covered:.0f} % of {len(cells)} cells; {bar}. Same sign: {agreed}.")


def inside(found: dict[str, Any], value: float) -> bool:
    """Whether a forecast's interval holds a value."""
    return bool(found["forecast"]["low"] <= value <= found["forecast"]["high"])


def same_sign(row: dict[str, Any]) -> bool:
    """Whether half of the labels told which of frozen and fine-tuned is ahead with all of them."""
    told = row["all"]["forecast"]["value"] - row["probe"]["forecast"]["value"]
    return (told > 0) == (mean(row["all"]["measured"]) > mean(row["probe"]["measured"]))
