#!/usr/bin/env python3
"""The problem card: false alarms on one domain, the power curve, and the cell that it names.

python bench/card.py alarms [CASE ...]   one domain split in two, 200 times
python bench/card.py power               corruptions of growing strength
python bench/card.py cells [CASE ...]    shifts that were built
python bench/card.py pairs               the real pairs
python bench/card.py table               print the tables
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from card_shifts import BUILT, CORRUPTIONS, Built, half_of
from scipy import stats

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/card.toml").read_text())
RECORDS = HERE / "records/card.jsonl"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
ALL = [*GRID["design"], *GRID["tried"]]
PAIRS = (("digits-mnist", "digits-uci"), ("digits-uci", "digits-mnist"), ("emoji-google", "emoji-twitter"))
Row = dict[str, Any]


def sides_of(case: str, pixels: np.ndarray | None = None, kept: np.ndarray | None = None) -> Any:
    """Features of a case at all cuts, as one domain, with its classes and groups; of other pixels where given."""
    import torch

    from headstart.backbones import load
    from headstart.data import find_duplicates, survey
    from headstart.features import extract
    from headstart.problem import Domain, read_labelled
    from headstart.runs.machine import cache_folder
    from headstart.runs.sides import Sides

    labelled = read_labelled(CASES / case)
    looked = survey(labelled.x, GRID["size"], cache=cache_folder())
    usable = np.array([i for i, key in enumerate(looked.ids) if key])
    usable = usable if kept is None else usable[kept]
    groups = find_duplicates(looked).groups[usable]
    y = labelled.y[usable]
    if pixels is not None:
        looked, usable = survey(Domain(case, pixels), GRID["size"], cache=cache_folder()), np.arange(len(pixels))
    network = load(GRID["backbone"], size=GRID["size"])
    where = {"cache": cache_folder(), "device": torch.device("cpu"), "progress": lambda *_: None}
    found = extract(network, looked, usable, **where)
    z = {cut: found.at(cut) for cut in found.cuts}
    return Sides(z, np.zeros(len(y), dtype=np.int64), y, groups, labelled.task.classes, usable)


def halved(sides: Any, seed: int, images: int, other: Any = None) -> Any:
    """One domain as two: groups shared out at random, the second half from `other` where that is given."""
    from headstart.runs.sides import Sides

    rows, domain = half_of(sides.groups, seed, images)
    z = {cut: each[rows].copy() for cut, each in sides.z.items()}
    if other is not None:
        for cut in z:
            z[cut][domain == 1] = other.z[cut][rows[domain == 1]]
    return Sides(z, domain, sides.y[rows], sides.groups[rows], sides.classes, sides.place[rows])


def alarms(cases: list[str]) -> None:
    """One domain split in two: p-values, and answers by size."""
    from headstart.advice.situation import judge
    from headstart.problem import label_spaces
    from headstart.runs import comparing

    tolerance, grid = GRID["tolerance"] / 100, GRID["alarms"]
    for case in cases:
        sides = None
        for seed in range(grid["splits"]):
            if done(kind="alarm", case=case, seed=seed):
                continue
            sides = sides or sides_of(case)
            both = halved(sides, seed, grid["images"])
            found, _, _ = comparing.marginal(both, seed=seed)
            held = [name for k, name in enumerate(both.classes) if both.counts(0)[k] and both.counts(1)[k]]
            heads = comparing.conditional(both, label_spaces(held, held), seed=seed)
            prior = comparing.known_prior(both, label_spaces(held, held), seed=seed).told
            said = {
                "marginal": judge(found.low, found.high, chance=0.5, tolerance=tolerance),
                "prior": judge(prior.low, prior.high, chance=0.5, tolerance=tolerance),
                "conditional": judge(heads.accuracy.low, heads.accuracy.high, chance=0.0, tolerance=tolerance),
            }
            numbers = {"p": found.p, "mmd_p": found.mmd_p, "prior_p": prior.p, "gain_low": heads.gain.low}
            ends = {"value": found.value, "low": found.low, "high": found.high}
            note({"kind": "alarm", "case": case, "seed": seed, **numbers, **ends, "said": said})


def power() -> None:
    """Corruptions of growing strength, on clip art."""
    from headstart.advice.situation import judge
    from headstart.runs import comparing

    grid, case = GRID["power"], GRID["design"][0]
    clean, kept = None, None
    for name, strengths in grid["corruptions"].items():
        for strength in strengths:
            cells = [
                {"kind": "power", "corruption": name, "strength": strength, "images": n, "seed": seed}
                for n in grid["images"]
                for seed in range(grid["splits"])
            ]
            wanted = [cell for cell in cells if not done(**cell)]
            if not wanted:
                continue
            if clean is None:
                kept = pool(case, grid["pool"])
                clean = sides_of(case, kept=kept)
            spoilt = sides_of(case, CORRUPTIONS[name](squares(case)[kept], strength), kept)
            for cell in wanted:
                both = halved(clean, cell["seed"], cell["images"], spoilt)
                found, _, _ = comparing.marginal(both, seed=cell["seed"])
                said = judge(found.low, found.high, chance=0.5, tolerance=GRID["tolerance"] / 100)
                sizes = {"value": found.value, "low": found.low, "high": found.high, "clearest": found.clearest}
                note(cell | sizes | {"p": found.p, "mmd_p": found.mmd_p, "said": said})


def pool(case: str, count: int) -> np.ndarray:
    """Which of the usable images are corrupted."""
    return np.sort(np.random.default_rng(0).choice(len(squares(case)), count, replace=False))


def squares(case: str) -> np.ndarray:
    """All usable images of a case, as squares of pixels."""
    from headstart.data import survey
    from headstart.problem import read_labelled
    from headstart.runs.machine import cache_folder

    looked = survey(read_labelled(CASES / case).x, GRID["size"], cache=cache_folder())
    return looked.pixels(np.array([i for i, key in enumerate(looked.ids) if key]))


def classes_of(case: str) -> np.ndarray:
    """Class names of all usable images."""
    from headstart.data import survey
    from headstart.problem import read_labelled
    from headstart.runs.machine import cache_folder

    labelled = read_labelled(CASES / case)
    looked = survey(labelled.x, GRID["size"], cache=cache_folder())
    return np.array(labelled.task.classes)[[labelled.y[i] for i, key in enumerate(looked.ids) if key]]


def cells(cases: list[str]) -> None:
    """Shifts that were built, through `headstart.compare`."""
    import headstart

    for case in cases:
        x = names = groups = None
        for built in BUILT:
            for seed in GRID["cells"]["seeds"]:
                if done(kind="cell", case=case, built=built.name, seed=seed):
                    continue
                if x is None:
                    x, names, groups = squares(case), classes_of(case), sides_of(case).groups
                rows, domain = half_of(groups, seed, GRID["cells"]["images"])
                source, target = built.make(x[rows], names[rows], domain, np.random.default_rng(seed))
                options = {key: GRID[key] for key in ("backbone", "size", "tolerance")}
                card = headstart.compare(source, target, seed=seed, **options)
                said = {about: [one.judgement, one.sentence] for about, one in card.answers.items()}
                relation = card.labels.relation if card.labels else "unknown"
                wanted = names_of(built, conditional=card.answers["conditional"].judgement)
                right = set(card.case.shifts) == set(wanted) and relation in built.relations
                row = {"kind": "cell", "case": case, "built": built.name, "seed": seed, "right": right}
                note(row | {"shifts": card.case.shifts, "wanted": wanted, "said": said})


def names_of(built: Built, *, conditional: str) -> tuple[str, ...]:
    """What the card must name: a covariate shift only where it judges P(Y|X) the same, else a shift of P(X).

    Recorded cells are of a version that said covariate shift for both; they stand as they were judged.
    """
    other = "covariate shift" if conditional == "same" else "shift of P(X)"
    return tuple(other if name == "covariate shift" else name for name in built.shifts)


def pairs() -> None:
    """The real pairs, the target with its labels and without."""
    import headstart

    for source, target in PAIRS:
        for labels in (True, False):
            if done(kind="pair", source=source, target=target, labels=labels):
                continue
            options = {key: GRID[key] for key in ("backbone", "size", "tolerance")}
            card = headstart.compare(CASES / source, CASES / target, target_labels=labels, **options)
            said = {about: [one.judgement, one.sentence] for about, one in card.answers.items()}
            row = {"kind": "pair", "source": source, "target": target, "labels": labels, "said": said}
            note(row | {"shifts": card.case.shifts, "sentence": card.case.sentence})


def recorded(kind: str = "") -> list[Row]:
    """All finished cells of a kind."""
    rows = [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []
    return [row for row in rows if kind in ("", row["kind"])]


def done(**wanted: object) -> bool:
    """Whether a cell is recorded."""
    return any(all(row.get(key) == value for key, value in wanted.items()) for row in recorded())


def note(row: Row) -> None:
    """One cell, one line."""
    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def table() -> None:
    """Markdown: the three questions, then the real pairs."""
    for part in (alarm_lines, power_lines, cell_lines, pair_lines):
        print("\n".join(part()), end="\n\n")


def alarm_lines() -> Iterator[str]:
    """False alarms by case, against the level."""
    level, splits = GRID["alarms"]["level"], GRID["alarms"]["splits"]
    low, high = (count / splits for count in stats.binom.interval(0.95, splits, level))
    yield f"One domain split in two, {splits} times; bar for p ≤ {level}: {100 * low:.1f} to {100 * high:.1f} %.\n"
    yield "| case | splits | classifier, p ≤ 0.05 | MMD, p ≤ 0.05 | class alone, p ≤ 0.05 | answers “different” |"
    yield "|---|---|---|---|---|---|"
    for case in ALL:
        rows = [row for row in recorded("alarm") if row["case"] == case]
        if not rows:
            yield f"| {case} | not run | | | | |"
            continue
        shares = [100 * mean(row[key] <= level for row in rows) for key in ("p", "mmd_p", "prior_p")]
        wrong = [f"{about} {sum(row['said'][about] == 'different' for row in rows)}" for about in rows[0]["said"]]
        yield f"| {case} | {len(rows)} | {' | '.join(f'{share:.1f} %' for share in shares)} | {', '.join(wrong)} |"


def power_lines() -> Iterator[str]:
    """How often a corruption is shown, and its size."""
    images = GRID["power"]["images"]
    yield "Shown (p ≤ 0.05) / judged “different” / accuracy, by images of each half.\n"
    yield "| corruption | strength | " + " | ".join(map(str, images)) + " |"
    yield "|---|---|" + "---|" * len(images)
    for name, strengths in GRID["power"]["corruptions"].items():
        for strength in strengths:
            rows = [r for r in recorded("power") if (r["corruption"], r["strength"]) == (name, strength)]
            told = [shown([row for row in rows if row["images"] == n]) for n in images]
            yield f"| {name} | {strength:g} | {' | '.join(told)} |"


def shown(rows: list[Row]) -> str:
    """One cell of the power curve."""
    if not rows:
        return "not run"
    parts = (mean(row["p"] <= 0.05 for row in rows), mean(row["said"] == "different" for row in rows))
    return f"{100 * parts[0]:.0f} / {100 * parts[1]:.0f} / {100 * mean(row['value'] for row in rows):.1f} %"


def cell_lines() -> Iterator[str]:
    """Built shifts by case: how many were named right."""
    yield "| built | " + " | ".join(ALL) + " |"
    yield "|---|" + "---|" * len(ALL)
    for built in BUILT:
        cells = []
        for case in ALL:
            rows = [row for row in recorded("cell") if (row["case"], row["built"]) == (case, built.name)]
            wrong = "".join(
                f" ({', '.join(row['shifts']) or row['said']['prior'][0]})" for row in rows if not row["right"]
            )
            cells.append(f"{sum(row['right'] for row in rows)} of {len(rows)}{wrong}" if rows else "not run")
        yield f"| {built.name} | {' | '.join(cells)} |"


def pair_lines() -> Iterator[str]:
    """Real pairs: the answers by judgement."""
    yield "| pair | target labels | P(X) | P(Y) | P(Y\\|X) | the case |"
    yield "|---|---|---|---|---|---|"
    for row in recorded("pair"):
        judged = [row["said"][about][0] for about in ("marginal", "prior", "conditional")]
        labels = "yes" if row["labels"] else "no"
        sentence = row["sentence"].replace("|", "\\|")
        yield f"| {row['source']} → {row['target']} | {labels} | {' | '.join(judged)} | {sentence} |"


if __name__ == "__main__":
    asked, *cases = sys.argv[1:] or ["all"]
    jobs: dict[str, Callable[[], None]] = {
        "alarms": lambda: alarms(cases or ALL),
        "power": power,
        "cells": lambda: cells(cases or ALL),
        "pairs": pairs,
    }
    if asked not in (*jobs, "all", "table") or not set(cases) <= set(ALL):
        sys.exit(__doc__)
    for name, job in jobs.items():
        if asked in (name, "all"):
            job()
    table()
