#!/usr/bin/env python3
"""What surrogate tasks are worth: `headstart study surrogates` on the targets of bench/grids/surrogates.toml.

python bench/surrogates.py [TARGET...]    run the study of these targets (all by default); it goes on where it was
python bench/surrogates.py table          print the table of what is recorded
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from subsets import CASES

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/surrogates.toml").read_text())
RECORDS = HERE / "records/surrogates.jsonl"
RUNS = HERE / "results/surrogates"
Row = dict[str, Any]


def run(target: str) -> None:
    """One study, and a line for every network and repeat that it judged."""
    told, out = GRID["targets"][target], RUNS / target
    words: list[Any] = ["study", "surrogates", data_of(told["data"]), "--labels", CASES / told["labels"], "--out", out]
    words += ["--architecture", GRID["architecture"], "--size", GRID["size"], "--images", GRID["images"]]
    words += ["--per-class", ",".join(map(str, GRID["per_class"])), "--repeats", GRID["repeats"], "--json"]
    words += [] if GRID["finetune"] else ["--no-finetune"]
    words += ["--poses", CASES / told["poses"]] if "poses" in told else []
    for name in told["by"]:
        words += ["--by", name]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "headstart", *map(str, words)], check=True, stdout=subprocess.PIPE
    )
    found = json.loads(done.stdout)
    kept = [row for row in recorded() if row["target"] != target]
    kept += [{"target": target, "what": "judged", **one} for one in found["judged"]]
    kept += [{"target": target, "what": "learned", **one} for one in found["learned"]]
    kept.append({"target": target, "what": "verdict", **found["verdict"]})
    RECORDS.write_text("".join(json.dumps(row) + "\n" for row in kept))


def data_of(name: str) -> Path:
    """The folder of a case; of both vendors' emoji a folder of links to theirs."""
    if name != "emoji":
        return CASES / name
    folder = RUNS / "emoji-both"
    folder.mkdir(parents=True, exist_ok=True)
    for vendor in ("emoji-google", "emoji-twitter"):
        if not (folder / vendor).exists():
            (folder / vendor).symlink_to(CASES / vendor)
    return folder


def recorded() -> list[Row]:
    """Everything that was measured."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def table() -> None:
    """Markdown: accuracy and gain over random weights of every network, by target."""
    for target in GRID["targets"]:
        rows = [row for row in recorded() if row["target"] == target]
        verdicts = [row for row in rows if row["what"] == "verdict"]
        if not verdicts:
            print(f"\n**{target}**: not run.")
            continue
        (verdict,) = verdicts
        means, gains = verdict["means"]["probe"], verdict["gains"]["probe"]
        learned = [row for row in rows if row["what"] == "learned"]
        counts = list(means)
        print(f"\n**{target}** ({GRID['targets'][target]['data']}; {GRID['repeats']} repeats)\n")
        heads = [f"{k} labels a class | over random, points" for k in counts]
        print(f"| network | surrogate solved (chance) | {' | '.join(heads)} |")
        print("|---|---|" + "---|---|" * len(counts))
        for name in means[counts[0]]:
            own = [row for row in learned if row["by"] == name]
            solved = (
                f"{100 * sum(r['solved'] for r in own) / len(own):.0f} % ({100 * own[0]['chance']:.0f} %)"
                if own
                else ""
            )
            cells = []
            for k in counts:
                cells += [f"{100 * means[k][name]:.1f}", gain(gains[k].get(name))]
            print(f"| `{name}` | {solved} | {' | '.join(cells)} |")


def gain(one: Row | None) -> str:
    """Mean and interval, bold where it is shown after Holm's correction."""
    if one is None:
        return ""
    told = f"{100 * one['value']:+.1f} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})"
    return f"**{told}**" if one["shown"] else told


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked == ["table"]:
        table()
    elif set(asked) <= set(GRID["targets"]):
        for target in asked or GRID["targets"]:
            run(target)
    else:
        sys.exit(__doc__)
