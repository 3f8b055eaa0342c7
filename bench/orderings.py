#!/usr/bin/env python3
"""The papers' orderings of surrogate tasks that can be tried here, of part [orderings] of bench/grids/surrogates.toml.

python bench/orderings.py [motion|classes]    run what is not recorded yet; it goes on where it was
python bench/orderings.py table               print the tables; those of frames stand on bench/surrogates.py
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from subsets import CASES, HERE
from surrogates import GRID as ALL
from surrogates import RUNS, Row
from surrogates import recorded as of_targets

GRID = ALL["orderings"]
RECORDS = HERE / "records/orderings.jsonl"
RANDOM = f"random/{ALL['architecture']}"
SHARED = ("--architecture", ALL["architecture"], "--size", ALL["size"])


def motion() -> None:
    """One study of both surrogates on the walks, judged on digits that no walk shows."""
    folder = CASES / "walks"
    if not (folder / "labels.csv").exists():
        walk(folder)
    told = GRID["motion"]
    words = [folder / "frames", "--labels", folder / "labels.csv", "--out", RUNS / "motion", "--against", "none"]
    words += ["--poses", folder / "poses.csv"]
    words += ["--per-class", ",".join(map(str, told["per_class"])), "--repeats", ALL["repeats"]]
    for name in told["by"]:
        words += ["--by", name]
    keep("motion", study(words))


def classes() -> None:
    """Of every repeat, a network of each number of pseudo-classes, and one study that judges them all."""
    told, found = GRID["classes"], []
    data = CASES / told["data"]
    for seed in range(ALL["repeats"]):
        words = [data, "--labels", data, "--out", RUNS / f"classes-{seed}", "--by", "exemplar", "--no-finetune"]
        words += ["--per-class", ",".join(map(str, told["per_class"])), "--repeats", 1, "--seed", seed]
        for number in told["classes"]:
            out = RUNS / f"exemplar-{number}-{seed}"
            asked = ["pretrain", data, "--by", "exemplar", "--classes", number, "--out", out, "--probe", data]
            headstart([*asked, "--seen", ALL["images"], "--seed", seed])
            words += ["--against", f"run:{out}"]
        found += [row | {"network": called(row["network"])} for row in study(words)]
    keep("classes", found)


def called(network: str) -> str:
    """A network by its number of pseudo-classes."""
    name = Path(network.partition(":")[2]).name
    return name.rpartition("-")[0] if network.startswith("run:") else network


def study(words: list[Any]) -> list[Row]:
    """What `headstart study surrogates` judged."""
    judged: list[Row] = headstart(["study", "surrogates", *words, "--images", ALL["images"]])["judged"]
    return judged


def headstart(words: list[Any]) -> Row:
    """A command's document."""
    command = [sys.executable, "-W", "ignore", "-m", "headstart", *map(str, words), *map(str, SHARED), "--json"]
    found: Row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def walk(folder: Path) -> None:
    """Every second digit on a canvas, shifted and turned at random from frame to frame; the others in a table."""
    from PIL import Image

    told, size, rng = GRID["motion"], ALL["size"], np.random.default_rng(0)
    paths, poses = sorted((CASES / "digits-mnist").glob("*/*.png")), []
    for number, path in enumerate(paths[::2][: told["walks"]]):
        digit = Image.open(path).convert("L")
        canvas = Image.new("L", (size, size))
        canvas.paste(digit, ((size - digit.width) // 2, (size - digit.height) // 2))
        shift, turn = np.zeros(2), 0.0
        (folder / f"frames/{number:04d}").mkdir(parents=True, exist_ok=True)
        for frame in range(told["frames"]):
            x, y = np.round(shift).astype(int).tolist()
            made = canvas.rotate(turn, Image.Resampling.BILINEAR, translate=(x, y))
            made.save(folder / f"frames/{number:04d}/{frame}.png")
            poses.append((f"{number:04d}/{frame}.png", x, y, round(turn, 3)))
            # Steps that would leave the canvas, or turn a six into a nine, are taken the other way.
            step, by = rng.uniform(-told["shift"], told["shift"], 2), rng.uniform(-told["turn"], told["turn"])
            shift += np.where(np.abs(shift + step) > 2 * told["shift"], -step, step)
            turn += -by if abs(turn + by) > 2 * told["turn"] else by
    labelled = [(path, path.parent.name) for path in paths[1::2]]
    tables = {"poses": [("frame", "x", "y", "roll"), *poses], "labels": [("path", "label"), *labelled]}
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)


def keep(ordering: str, judged: list[Row]) -> None:
    """The records of an ordering, anew."""
    kept = [row for row in recorded() if row["ordering"] != ordering]
    kept += [{"ordering": ordering} | row for row in judged]
    RECORDS.write_text("".join(json.dumps(row) + "\n" for row in kept))


def recorded() -> list[Row]:
    """Everything that was measured."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def values(rows: list[Row], network: str, way: str, k: int) -> list[float]:
    """Accuracy in per cent, repeat by repeat: fine-tuned, or read by a ridge on all cuts."""
    own = sorted((row for row in rows if row["network"] == network), key=lambda row: row["seed"])
    return [100 * (row[way][str(k)] if way == "finetune" else row[way][str(k)]["all cuts"]) for row in own]


def apart(a: list[float], b: list[float]) -> str:
    """The mean difference, paired, and its interval by Student's t."""
    from headstart.evidence.replicates import paired_difference

    found = paired_difference(np.array(a), np.array(b), independent=len(a), level=0.95)
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


def table() -> None:
    """Markdown of all three."""
    rows = recorded()
    table_of_motion([row for row in rows if row["ordering"] == "motion"])
    table_of_classes([row for row in rows if row["ordering"] == "classes"])
    table_of_frames([row for row in of_targets() if row["target"] == "maze" and row["what"] == "judged"])


def table_of_motion(rows: list[Row]) -> None:
    """Ego-motion beside slow features and random weights, by the number of labels."""
    print("| labels | from scratch | slow | egomotion | egomotion − scratch | egomotion − slow | slow − scratch |")
    print("|---|---|---|---|---|---|---|")
    for way, said in (("finetune", "fine-tuned"), ("probe", "frozen")) if rows else ():
        for k in GRID["motion"]["per_class"]:
            found = {name: values(rows, name, way, k) for name in (RANDOM, "slow", "egomotion")}
            cells = [f"{mean(one):.1f}" for one in found.values()]
            pairs = (("egomotion", RANDOM), ("egomotion", "slow"), ("slow", RANDOM))
            cells += [apart(found[a], found[b]) for a, b in pairs]
            print(f"| {10 * k:,}, {said} | {' | '.join(cells)} |")


def table_of_classes(rows: list[Row]) -> None:
    """Accuracy by the number of pseudo-classes."""
    print("\n| pseudo-classes | 10 labels a class | above the last line | 50 labels a class | above the last line |")
    print("|---|---|---|---|---|")
    names = [RANDOM, *(f"exemplar-{number}" for number in GRID["classes"]["classes"]), "exemplar"]
    for before, name in zip([None, *names], names, strict=False) if rows else ():
        cells = []
        for k in GRID["classes"]["per_class"]:
            ours = values(rows, name, "probe", k)
            cells += [f"{mean(ours):.1f}", apart(ours, values(rows, before, "probe", k)) if before else ""]
        title = {RANDOM: "none: random weights", "exemplar": "one an image"}.get(name, name.partition("-")[2])
        print(f"| {title} | {' | '.join(cells)} |")


def table_of_frames(rows: list[Row]) -> None:
    """What neighbouring frames teach beside what single ones do."""
    print("\n| frames beside single frames | 10 labels a room | 50 labels a room |\n|---|---|---|")
    for a, b in GRID["frames"]["pairs"] if rows else ():
        cells = [apart(values(rows, a, "probe", k), values(rows, b, "probe", k)) for k in ALL["per_class"]]
        print(f"| `{a}` − `{b}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked == ["table"]:
        table()
    elif set(asked) <= {"motion", "classes"}:
        for one in asked or ("motion", "classes"):
            {"motion": motion, "classes": classes}[one]()
    else:
        sys.exit(__doc__)
