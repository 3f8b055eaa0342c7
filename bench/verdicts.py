#!/usr/bin/env python3
"""The verdict on the cells of bench/advice.py: what its choice loses, whether intervals cover, what is said of noise.

python bench/verdicts.py fit            run `headstart fit` on the cells of [fit] of bench/grids/advice.toml
python bench/verdicts.py again          the same on the cells of [own]: on the machine where these were trained
python bench/verdicts.py shuffled       run it on labels that were drawn anew: nothing is there to be learned
python bench/verdicts.py table|noise|wide    print the tables; `wide` has all networks fine-tuned in brute force

`patient` and `frugal` train nothing: the finalists of a recorded cell are compared as a run compares them, from what
each got right, image by image; with every strategy at hand, or the frozen networks alone. `fit` is the command itself.
What is handed back is judged on the images of the case that are not in the cell.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import mean
from typing import Any

import numpy as np
from subsets import HERE, RUNS, subset

from advice import GRID, SIDE_BY_SIDE, cells_of, one_process, recorded, said, unpacked

MARGIN = 0.005
LADDER = ("probe", "last_block", "upper_half", "all")
CONTROLS = ("frozen_random", "scratch")
FITTED = HERE / "records/verdicts.jsonl"
FROZEN_PAIR, TUNED_PAIR = "both are frozen", "one at least is fine-tuned"
Row = dict[str, Any]
Pair = tuple[str, str]


def frozen(cell: Row) -> str:
    """The frozen network that is best on the images that a run compares on."""
    probes = [key for key in cell["strategies"] if key.startswith("probe")]
    return max(probes, key=lambda key: cell["strategies"][key]["value"])


def best(cell: Row, by: str = "value") -> str:
    """The best of all that was trained on all labels, by validation (`value`: a patient user) or by `test` (oracle)."""
    judged = [name for name, one in cell["strategies"].items() if "test" in one]
    return max(judged, key=lambda name: cell["strategies"][name][by])


def compared(cell: Row, pairs: list[Pair]) -> dict[Pair, Any]:
    """Simultaneous intervals of these pairs, as a run makes them."""
    from headstart.advice import Difference
    from headstart.advice.verdict import LEVEL
    from headstart.evidence import simultaneous, training_draw

    n, folds = cell["judged"], cell["folds"]
    wider = training_draw(1, folds - 1, splits=folds) if folds else training_draw(n, cell["labelled"] - n)
    right = {name: unpacked(one["right"], n).astype(int) for name, one in cell["strategies"].items()}
    found = simultaneous(np.ones(n, int), right, pairs, np.array(cell["groups"]), level=LEVEL, wider=wider)
    return {pair: Difference(*pair, one.value, one.low, one.high) for pair, one in found.items()}


def verdict(cell: Row, rows: tuple[str, ...]) -> tuple[Any, dict[str, str]]:
    """The decision of a run with these finalists, and which record stands for each of them."""
    from dataclasses import replace

    from headstart.advice import Candidate, decide

    named = {row: frozen(cell) if row == "probe" else row for row in rows}
    named = {row: key for row, key in named.items() if key in cell["strategies"]}
    value = {row: cell["strategies"][key]["value"] for row, key in named.items()}
    top = max((row for row in value if row not in CONTROLS), key=value.__getitem__)
    to_best = compared(cell, [(named[top], named[row]) for row in value if row not in CONTROLS and row != top])
    to_control = compared(cell, [(named[top], row) for row in value if row in CONTROLS])
    called = {key: row for row, key in named.items()}
    decided = decide(
        [Candidate(row, value[row], row) for row in value],
        to_best={called[d.b]: replace(d, a=top, b=called[d.b]) for d in to_best.values()},
        to_control=replace(min(to_control.values(), key=lambda d: d.value), a=top),
        margin=MARGIN,
        n=cell["judged"],
    )
    return decided, named


def told(cell: Row) -> Row:
    """What the verdicts of a cell hand back, beside the best chosen on validation and on test, in points."""
    tried = cell["strategies"]
    top, row = best(cell), {"oracle": 100 * tried[best(cell, "test")]["test"]}
    row["best"] = 100 * tried[top]["test"]
    for name, rows in (("patient", (*LADDER, *CONTROLS)), ("frugal", ("probe", "frozen_random"))):
        decided, named = verdict(cell, rows)
        row[name] = 100 * tried[named[decided.chosen]]["test"]
        row[f"{name}_kind"] = decided.kind
        if name == "patient" and decided.doubted:
            row["apart"] = told_apart(cell, named[decided.best], named[decided.doubted])
    frugal = [key for key in tried if key.startswith("probe") or key == "frozen_random"]
    row["cost"] = sum(tried[key]["cpu_s"] for key in frugal) / apart_from_scratch(cell)
    return row


def apart_from_scratch(cell: Row) -> float:
    """Processor seconds of brute force without that control, which is most of it, and which seeds 2 to 4 lack."""
    return float(sum(one["cpu_s"] for key, one in cell["strategies"].items() if key != "scratch"))


def told_apart(cell: Row, best: str, doubted: str) -> dict[str, float]:
    """Lower ends of 90 % intervals of best − doubted, in points.

    Plain on the images compared on and on test images; `drawn` is that of a run, for this pair alone, which allows for
    the draw of the training images.
    """
    from headstart.evidence import paired

    def low(n: int, key: str, groups: np.ndarray, *, sign: int = 1) -> float:
        a, b = (unpacked(cell["strategies"][name][key], n).astype(int) for name in (best, doubted)[::sign])
        found = paired(np.ones(n, int), a, b, groups, level=0.9)
        return 100 * (found.low if found.low is not None else -1.0)

    n = cell["test"]
    wider = compared(cell, [(best, doubted)])[best, doubted].low
    return {
        "drawn": 100 * (wider if wider is not None else -1.0),
        "seen": low(cell["judged"], "right", np.array(cell["groups"])),
        "better": low(n, "test_right", np.arange(n)),
        "worse": low(n, "test_right", np.arange(n), sign=-1),
    }


def table() -> None:
    """Markdown: what each verdict loses to the best of brute force; then the coverage of its intervals."""
    cells = {(c["case"], c["n"], c["seed"]): told(c) for c in recorded()}
    fitted = {(r["case"], r["n"], r["seed"]): r for r in runs("fit")}
    print(
        "| case | labels | seeds | best of all | oracle | loss: patient | loss: frugal | loss: `fit` (seeds) | ", end=""
    )
    print(f"`fit` to the oracle | it fine-tuned in | cost: frugal | patient says |\n{'|---' * 12}|")
    groups: dict[str, list[list[float]]] = {"patient": [], "frugal": [], "fit": []}
    for case in (*GRID["design"]["cases"], *GRID["judge"]["cases"]):
        for n in GRID["sizes"]:
            these = {key: row for key, row in cells.items() if key[:2] == (case, n)}
            if these:
                print(line(case, n, these, fitted, groups if case in GRID["judge"]["cases"] else {}))
    for name, means in groups.items():
        values = [mean(one) for one in means if one]
        if values:
            every = mean(value for one in means for value in one)
            lost = f"{round(every, 1) + 0.0:+.1f} points lost on average, {max(values):+.1f} at worst of a line"
            print(f"\nJudged cases, {name}: {lost}.")
    for what, key in (("The search of `fit`", "search_s"), ("All of `fit`", "cpu_s")):
        shares = [run[key] / apart_from_scratch(cell) for cell, run in both(fitted)]
        tenth = f"above a tenth in {sum(share > 0.1 for share in shares)} of {len(shares)}"
        said = f"{mean(shares):.0%} on average ({min(shares):.0%} to {max(shares):.0%}), {tenth}"
        print(f"\n{what}, on one thread, beside brute force as declared, the control from scratch apart: {said}.")
    apart = [row["apart"] for row in cells.values() if "apart" in row]
    seen, drawn = (sum(one[key] > 0 for one in apart) for key in ("seen", "drawn"))
    better, worse = (sum(one[side] > 0 for one in apart) for side in ("better", "worse"))
    print(
        f"\n*Cannot tell* in {len(apart)} of {len(cells)} cells; best against doubted, by 90 % intervals: above 0 ",
        end="",
    )
    print(f"on the images compared on in {seen}, with the draw of the training images in {drawn}; ", end="")
    print(f"on the test images better in {better}, worse in {worse}.")
    import covering

    covering.table()


def both(fitted: dict[Any, Row]) -> list[tuple[Row, Row]]:
    """Cells of brute force with the run of the command on each."""
    keyed = [((cell["case"], cell["n"], cell["seed"]), cell) for cell in recorded()]
    return [(cell, fitted[key]) for key, cell in keyed if key in fitted]


def line(case: str, n: int, these: dict[Any, Row], fitted: dict[Any, Row], groups: dict[str, list[list[float]]]) -> str:
    """One line of the table."""
    from headstart.strategies import TABLE

    rows = list(these.values())
    losses = {name: [row["best"] - row[name] for row in rows] for name in ("patient", "frugal")}
    losses["fit"] = [row["best"] - 100 * fitted[key]["test"] for key, row in these.items() if key in fitted]
    oracle = [row["oracle"] - 100 * fitted[key]["test"] for key, row in these.items() if key in fitted]
    trained = sum(any(TABLE[name].trains for name in fitted[key]["tried"]) for key in these if key in fitted)
    for name, values in losses.items():
        if name in groups:
            groups[name].append(values)
    ranges = [f"{mean(v):+.1f} ({min(v):+.1f} to {max(v):+.1f})" if v else "not run" for v in losses.values()]
    ranges[-1] += f" ({len(losses['fit'])})"
    ranges += [f"{mean(oracle):+.1f}", f"{trained} of {len(oracle)}"] if oracle else ["not run", ""]
    kinds = Counter(row["patient_kind"] for row in rows).most_common()
    words = [f"{mean(row[name] for row in rows):.1f}" for name in ("best", "oracle")]
    cost = f"{mean(row['cost'] for row in rows):.2f}"
    said = ", ".join(f"{kind} {times}" for kind, times in kinds)
    return f"| {' | '.join([case, f'{n}', f'{len(rows)}', *words, *ranges, cost, said])} |"


def runs(what: str) -> list[Row]:
    """Recorded runs of the command."""
    rows = [json.loads(text) for text in FITTED.read_text().splitlines()] if FITTED.exists() else []
    return [row for row in rows if row["what"] == what]


def run(what: str) -> None:
    """All cells of a part that are not recorded, two at a time."""
    known = {(row["case"], row["n"], row["seed"]) for row in runs(what)}
    part = cells_of({"fit": "judge", "again": "own"}.get(what, what))
    missing = [cell for cell in part if cell[2] in GRID[what].get("seeds", [cell[2]]) and cell not in known]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(lambda cell: one_process(cell, script=__file__, what=what), missing))


def one_cell(what: str, case: str, n: str, seed: str) -> None:
    """`headstart fit` on a cell, and its model on the images that are not in it; one line."""
    from headstart.bundle.save import rebuild
    from headstart.runs.machine import machine

    RUNS.mkdir(parents=True, exist_ok=True)
    table, test = subset(case, int(n), int(seed))
    if what == "shuffled":
        table = drawn_anew(table, int(seed))
    out = RUNS / f"{what}-{case}-{n}-{seed}"
    words = ["fit", table, "--out", out, "--size", GRID["size"], "--seed", seed, "--split", "75/25/0", "--json"]
    words += ["--budget", f"{GRID[what]['budget'][n]}s"]
    for name in (GRID["backbone"], *GRID["frozen_only"]):
        words += ["--backbone", name]
    subprocess.run([sys.executable, "-m", "headstart", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    records = [json.loads(text) for text in (out / "records.jsonl").read_text().splitlines()]
    said = next(record for record in records if record["what"] == "verdict")
    search = sum(r["cost"].get("seconds", 0.0) for r in records if r["what"] in ("probed", "candidate"))
    right = test.right(rebuild(out))
    row: Row = {"what": what, "case": case, "n": int(n), "seed": int(seed), "kind": said["detail"]["kind"]}
    row |= {key: said["detail"][key] for key in ("chosen", "transfer", "over_guessing", "comparisons")}
    row |= {"tried": [r["strategy"] for r in records if r["what"] == "candidate"]}
    row |= {
        "test": float(right.mean()),
        "cpu_s": used.ru_utime + used.ru_stime,
        "search_s": search,
        "machine": machine(),
    }
    with FITTED.open("a") as file:
        file.write(json.dumps(row) + "\n")


def drawn_anew(table: Any, seed: int) -> Any:
    """The table with its labels permuted: image and label know nothing of each other."""
    with table.open() as file:
        rows = list(csv.DictReader(file))
    labels = np.random.default_rng(seed).permutation([row["label"] for row in rows])
    made = table.with_name(f"shuffled-{table.name}")
    with made.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        writer.writerows((row["path"], label, row["split"]) for row, label in zip(rows, labels, strict=True))
    return made


def noise() -> None:
    """Markdown: what is said of labels that were drawn anew."""
    print("| case | labels | runs | no transfer | transfer said to help | accuracy on the other images, % | seconds |")
    print("|---|---|---|---|---|---|---|")
    for case, n in dict.fromkeys((row["case"], row["n"]) for row in runs("shuffled")):
        rows = [row for row in runs("shuffled") if (row["case"], row["n"]) == (case, n)]
        said = [sum(row["kind"] == "no_transfer" for row in rows), sum(row["transfer"] == "helps" for row in rows)]
        right, seconds = (mean(row[key] for row in rows) for key in ("test", "cpu_s"))
        print(f"| {case} | {n} | {len(rows)} | {said[0]} | {said[1]} | {100 * right:.1f} | {seconds:.0f} |")


def wide() -> None:
    """Markdown: `fit` beside brute force with every network fine-tuned to the end; without the control from scratch."""
    print("| case | labels | seed | best of all | oracle | loss: `fit` | brute force, s | `fit` / brute force |")
    print("|---|---|---|---|---|---|---|---|")
    fitted = {(r["case"], r["n"], r["seed"]): r for r in (*runs("fit"), *runs("again"))}
    narrow = {(c["case"], c["n"], c["seed"]): c["strategies"] for c in (*recorded(), *recorded("own"))}
    lost, shares = [], []
    for cell in recorded("wide"):
        key = (cell["case"], cell["n"], cell["seed"])
        tried = {name: one for name, one in (cell["strategies"] | narrow[key]).items() if name != "scratch"}
        top, oracle = (best({"strategies": tried}, by) for by in ("value", "test"))
        spent, ours = sum(one["cpu_s"] for one in tried.values()), fitted[key]
        lost.append(100 * (tried[top]["test"] - ours["test"]))
        shares.append(ours["cpu_s"] / spent)
        names = [f"{said(name)} {100 * tried[name]['test']:.1f}" for name in (top, oracle)]
        cells = [*map(str, key), *names, f"{lost[-1]:+.1f}", f"{spent:,.0f}", f"{shares[-1]:.2f}"]
        print(f"| {' | '.join(cells)} |")
    if lost:
        print(f"\nOn average {mean(lost):+.1f} points lost, for {mean(shares):.2f} of the processor time.")


if __name__ == "__main__":
    asked = sys.argv[1:]
    tables = {"table": table, "noise": noise, "wide": wide}
    if len(asked) == 1 and asked[0] in tables:
        tables[asked[0]]()
    elif asked[:1] == ["cell"]:
        one_cell(*asked[1:])
    elif asked in (["fit"], ["again"], ["shuffled"]):
        run(asked[0])
    else:
        sys.exit(__doc__)
