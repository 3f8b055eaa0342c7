#!/usr/bin/env python3
"""headstart beside others: one backbone, the same weights and images, in an environment of their own.

python bench/peers.py            run the cells of bench/grids/peers.toml that are not recorded yet
python bench/peers.py table      print the tables

The main job stands beside fastai's fine_tune and AutoGluon under the same time limit; cached features and probes
beside visbench. vertebrae's licence (AGPL) keeps it out: it was read, not run.

Each peer lives in an environment of its own under bench/results/peers, made here when it is first wanted.
The split is headstart's (near duplicates on one side); the peers are given its validation part for whatever
they choose by; the test part is read once, by each at its end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/peers.toml").read_text())
RECORDS = HERE / "records/peers.jsonl"
RESULTS = HERE / "results/peers"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
CLASSES = 10  # of fashion
Row = dict[str, Any]


def environment(peer: str) -> Path:
    """The interpreter of a peer's own environment."""
    python = RESULTS / peer / "bin/python"
    if not (RESULTS / peer / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", RESULTS / peer], check=True)
        for packages in GRID["environments"][peer]:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (RESULTS / peer / "installed").touch()
    return python


def weights(backbone: str, size: int) -> Path:
    """The packaged weights under timm's names, which every peer loads."""
    path = RESULTS / f"{backbone.replace('/', '-')}.pth"
    if not path.exists():
        import torch

        from headstart.backbones import load

        torch.save(load(backbone, size=size).network.state_dict(), path)
    return path


def folder_of(case: str) -> Path:
    """A case as class folders; of a large one an even share of every class, copied."""
    if case != "fashion":
        return CASES / case
    made = RESULTS / f"{case}-{GRID['images']}"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=RESULTS) as place:
            for label in sorted((CASES / case / "train").iterdir()):
                (Path(place) / "images" / label.name).mkdir(parents=True)
                for path in sorted(label.iterdir())[: GRID["images"] // CLASSES]:
                    shutil.copy(path, Path(place) / "images" / label.name)
            (Path(place) / "images").rename(made)
    return made


def ours(case: str, seed: int) -> tuple[Row, dict[str, list[tuple[str, str]]]]:
    """One run of the command line; its score on the test part, and its split with absolute paths."""
    out, images = RESULTS / f"headstart-{case}-{seed}", folder_of(case)
    command = [sys.executable, "-m", "headstart", "fit", str(images), "--out", str(out), "--seed", str(seed)]
    options = {"--backbone": GRID["backbone"], "--budget": f"{GRID['seconds']}s", "--size": str(GRID["size"])}
    subprocess.run([*command, *(word for pair in options.items() for word in pair)], check=True, env=cold(out))
    told = json.loads((out / "split.json").read_text())
    parts = {
        name: [(str(images / path), path.split("/")[0]) for path in told[name]] for name in ("train", "val", "test")
    }
    rows = {row["key"]: row for row in map(json.loads, (out / "records.jsonl").read_text().splitlines())}
    test, verdict = rows["test"]["metrics"], rows["verdict"]
    found = {"accuracy": test["value"], "seconds": rows["spent"]["cost"]["seconds"], "strategy": verdict["strategy"]}
    return found, parts


def cold(out: Path) -> dict[str, str]:
    """An environment with a cache of the run's own."""
    return os.environ | {"HEADSTART_CACHE": str(out.with_name(f"{out.name}-cache"))}


def run() -> None:
    """All cells: seed by seed, ours and the peers' in turn."""
    for seed in GRID["seeds"]:
        for case in GRID["cases"]:
            if not done(case=case, seed=seed, system="headstart"):
                found, parts = ours(case, seed)
                (RESULTS / f"{case}-{seed}.json").write_text(json.dumps(parts))
                note({"case": case, "seed": seed, "system": "headstart", **found})
            for peer in GRID["systems"]:
                if not done(case=case, seed=seed, system=peer):
                    note({"case": case, "seed": seed, "system": peer, **theirs(peer, case, seed)})


def cached() -> None:
    """Features and probe of a folder, cold and warm, each in a process of its own, ours and visbench's in turn."""
    told = GRID["cached"]
    for case in told["cases"]:
        for number in range(told["rounds"]):
            if done(what="cached", case=case, round=number):
                continue
            row: Row = {"what": "cached", "case": case, "round": number}
            with tempfile.TemporaryDirectory() as folder:
                for state in ("cold", "warm"):
                    for system in ("headstart", "visbench"):
                        row[f"{system}_{state}"] = probed(system, case, Path(folder) / system)
            note(row)


def probed(system: str, case: str, cache: Path) -> Row:
    """What a system prints of its features and its probe."""
    python = sys.executable if system == "headstart" else environment(system)
    arguments = [CASES / case, weights(GRID["backbone"], GRID["size"]), cache, GRID["size"]]
    command = [python, HERE / f"peers/{system}_run.py", *arguments]
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if ran.returncode:
        return {"failed": ran.stderr.strip().splitlines()[-1][:300]}
    row: Row = json.loads(ran.stdout.strip().splitlines()[-1])
    return row


def theirs(peer: str, case: str, seed: int) -> Row:
    """What a peer prints at its end; where it fails, its last words."""
    arguments = [RESULTS / f"{case}-{seed}.json", weights(GRID["backbone"], GRID["size"])]
    numbers = [str(GRID[name]) if name != "seed" else str(seed) for name in ("seconds", "seed", "size")]
    command = [environment(peer), HERE / f"peers/{peer}_run.py", *arguments, *numbers]
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if ran.returncode:
        return {"failed": ran.stderr.strip().splitlines()[-1][:300]}
    row: Row = json.loads(ran.stdout.strip().splitlines()[-1])
    return {name: row[name] for name in row if name not in ("predicted", "y")}


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


def table_cached() -> None:
    """Markdown: medians over rounds, and the ratios round by round."""
    print(
        "| case | ours: 9 cuts, 5 folds | visbench: one layer, one probe | visbench / ours | accuracy of the probes |"
    )
    print("|---|---|---|---|---|")
    for case in GRID["cached"]["cases"]:
        rows = [row for row in recorded() if row.get("what") == "cached" and row["case"] == case]
        for state in ("cold", "warm"):
            both = [(row[f"headstart_{state}"], row[f"visbench_{state}"]) for row in rows]
            both = [pair for pair in both if not any("failed" in one for one in pair)]
            if not both:
                continue
            seconds = [[one["extract_s"] + one["probe_s"] for one in pair] for pair in both]
            ratios = sorted(theirs / ours for ours, theirs in seconds)
            ours, peer = (np.median(column) for column in zip(*seconds, strict=True))
            told = f"{np.median(ratios):.1f}× ({ratios[0]:.1f} to {ratios[-1]:.1f})"
            values = " | ".join(f"{t:.2f} s" for t in (ours, peer))
            scores = f"{100 * both[0][0]['accuracy']:.1f} out of fold, {100 * both[0][1]['accuracy']:.1f} on a fifth"
            print(f"| {case}, {state} | {values} | {told} | {scores} |")


def table() -> None:
    """Markdown of what is recorded: means over seeds, and differences paired by seed."""
    print("| case | system | test accuracy, mean (least to most) | ours − it, points, by seed | seconds | seeds |")
    print("|---|---|---|---|---|---|")
    for case in GRID["cases"]:
        rows = [row for row in recorded() if row["case"] == case and "system" in row]
        own = {row["seed"]: row["accuracy"] for row in rows if row["system"] == "headstart"}
        for system in ("headstart", *GRID["systems"]):
            mine = [row for row in rows if row["system"] == system and "accuracy" in row]
            if not mine:
                failed = [row["failed"] for row in rows if row["system"] == system]
                print(f"| {case} | {system} | {failed[0] if failed else 'not run'} | | | |")
                continue
            values = [100 * row["accuracy"] for row in mine]
            gains = ", ".join(f"{100 * (own[row['seed']] - row['accuracy']):+.1f}" for row in mine)
            told = f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"
            seconds = np.mean([row["seconds"] for row in mine])
            print(f"| {case} | {system} | {told} | {gains} | {seconds:.0f} | {len(mine)} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        cached()
        run()
    table()
    print()
    table_cached()
