#!/usr/bin/env python3
"""The main job on real images: what it hands back, next to the probe, to scratch and to random features.

    python bench/main_job.py fit        run the declared cells (bench/grids/main_job.toml); resumable
    python bench/main_job.py by-hand    the naive protocol: 60/40, no groups
    python bench/main_job.py frozen     other sizes and backbones, frozen
    python bench/main_job.py table      print the tables of what is in bench/records/main_job.jsonl

`fit` calls the command line, then `judge` in a process of its own, which alone reads the test parts of
all finalists: after the run's choices stand in its records.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/main_job.toml").read_text())
RECORDS = HERE / "records/main_job.jsonl"
RUNS = HERE / "results/main_job"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
Row = dict[str, Any]


def recorded() -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def append(row: Row) -> None:
    """One cell, one line."""
    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row) + "\n")


def done(**wanted: object) -> bool:
    """Whether a cell is recorded."""
    return any(all(row.get(k) == v for k, v in wanted.items()) for row in recorded())


def main_cells() -> Iterator[tuple[str, int, str]]:
    """Case, seed and budget of every cell of the main grid."""
    for case, told in GRID["cases"].items():
        for seed in told.get("seeds", GRID["seeds"]):
            yield case, seed, told["budget"]


def fit() -> None:
    """The main job on every cell, each judged afterwards."""
    for case, seed, budget in main_cells():
        if done(what="finalist", case=case, seed=seed):
            continue
        run = RUNS / f"{case}-{seed}"
        command = ["-m", "headstart", "fit", CASES / case, "--out", run, "--budget", budget, "--seed", seed]
        command += ["--backbone", GRID["backbone"], "--size", GRID["size"]]
        subprocess.run([sys.executable, *map(str, command)], check=True)
        subprocess.run([sys.executable, __file__, "judge", run, case, str(seed)], check=True)


def judge(folder: str, case: str, seed: str) -> None:
    """Score every finalist of a finished run, as trained on its training part, on the test part."""
    import torch

    from headstart.evidence import interval
    from headstart.problem import read_labelled
    from headstart.records import Journal
    from headstart.runs import fit as fitting
    from headstart.runs.candidates import fit_strategy, probabilities
    from headstart.runs.context import Context, kept_predictions
    from headstart.runs.finetuning import kept_model, start_backbone
    from headstart.runs.machine import cache_folder
    from headstart.runs.options import Options
    from headstart.runs.planning import plan_of
    from headstart.runs.preparing import prepare
    from headstart.shallow import arrays, fit_probe, head_module
    from headstart.strategies import TABLE

    run = Path(folder)
    journal = Journal(run / "records.jsonl")
    plan_record = journal.get("plan")
    assert plan_record is not None and journal.get("test") is not None
    told = {k: tuple(v) if isinstance(v, list) else v for k, v in plan_record.detail["options"].items()}
    options = Options(**told)
    context = Context(run, journal, options, cache_folder(), torch.device("cpu"), lambda *_: None, lambda _: None)
    prepared, _ = prepare(context, read_labelled(options.data))
    plan = plan_of(plan_record)
    frozen, tuned = fitting._probe_all(context, plan, prepared)
    test = prepared.split.test
    y, groups = prepared.y[test], prepared.groups[test]

    def note(strategy: str, predicted: np.ndarray, **more: object) -> None:
        found = interval(y, predicted, groups)
        correct = "".join("01"[int(r)] for r in predicted == y)
        row = {"what": "finalist", "case": case, "seed": int(seed), "strategy": strategy, "n": len(test)}
        append(row | {"value": found.value, "low": found.low, "high": found.high, "correct": correct} | more)

    for record in journal.of("candidate"):
        row = TABLE[record.strategy]
        source = tuned if row.trains else frozen
        if row.trains:
            path = run / "work" / f"{row.name}-0-model.safetensors"
            backbone = start_backbone(context, row, source)
            model = kept_model(path, backbone, classes=prepared.k, frozen=record.cut)
        else:
            model = fit_strategy(
                context, prepared, plan, row=row, source=source, indices=prepared.split.train, name="judge"
            ).model
        epochs = record.recipe.get("epochs", 0)
        note(row.name, probabilities(context, prepared, model, test).argmax(1), epochs=epochs, cost=record.cost)
    z = {
        part: frozen.features.of("top", [prepared.survey.ids[i] for i in getattr(prepared.split, part)])
        for part in ("train", "test")
    }
    head = head_module(arrays(fit_probe(frozen.probed.linear, {"top": z["train"]}, prepared.y[prepared.split.train])))
    note("last_layer", head(torch.from_numpy(z["test"])).argmax(1).numpy(), head=frozen.probed.linear.head)
    indices, shares = kept_predictions(run / "work" / "test-predictions.safetensors")
    assert np.array_equal(indices, test)
    verdict, spent, final = (journal.get(key) for key in ("verdict", "spent", "final"))
    assert verdict is not None and spent is not None and final is not None
    note(
        "final",
        shares.argmax(1),
        kind=verdict.detail["kind"],
        chosen=verdict.strategy,
        transfer=verdict.detail["transfer"],
        refit=final.detail["refit"],
        total_s=spent.detail["total_s"],
        budget_s=spent.detail["budget_s"],
        peak_bytes=spent.detail["peak_bytes"],
        groups=groups.tolist(),
        machine=plan_record.detail["machine"],
    )


def by_hand() -> None:
    """60/40, no groups: what a user would do without headstart."""
    import torch
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from headstart.backbones import Transferred, load
    from headstart.data import survey
    from headstart.data.batches import Batches
    from headstart.features import extract
    from headstart.objectives import CrossEntropy
    from headstart.problem import read_labelled
    from headstart.runs.machine import cache_folder
    from headstart.training import Scores, finetune, score, train

    told = GRID["by_hand"]
    for case in told["cases"]:
        labelled = read_labelled(CASES / case)
        looked = survey(labelled.x, GRID["size"], cache=cache_folder())
        usable = np.array([i for i, key in enumerate(looked.ids) if key])
        backbone = load(GRID["backbone"], size=GRID["size"])
        cpu = torch.device("cpu")
        features = extract(backbone, looked, usable, cache=cache_folder(), device=cpu, progress=lambda *_: None)
        y = labelled.y[usable]
        for seed in told["probe_seeds"]:
            fit_rows, test_rows = train_test_split(np.arange(len(y)), test_size=0.4, stratify=y, random_state=seed)
            for cut in told["cuts"]:
                if done(what="by-hand", case=case, seed=seed, cut=cut):
                    continue
                logistic = LogisticRegressionCV(
                    Cs=[1e-3, 1e-2, 1e-1], cv=3, max_iter=200, l1_ratios=(0.0,), use_legacy_attributes=False
                )
                model = make_pipeline(StandardScaler(), logistic).fit(features.at(cut, fit_rows), y[fit_rows])
                value = float(model.score(features.at(cut, test_rows), y[test_rows]))
                append({"what": "by-hand", "case": case, "seed": seed, "cut": cut, "value": value, "n": len(test_rows)})
            if not done(what="by-hand", case=case, seed=seed, cut="headstart's probe"):
                value = _own_probe(features, y, fit_rows=fit_rows, test_rows=test_rows, seed=seed)
                cell = {"what": "by-hand", "case": case, "seed": seed, "cut": "headstart's probe"}
                append(cell | {"value": value, "n": len(test_rows)})
            if seed not in told["finetune_seeds"] or done(what="by-hand", case=case, seed=seed, cut="fine-tuned"):
                continue
            probe = make_pipeline(
                StandardScaler(),
                LogisticRegressionCV(
                    Cs=[1e-3, 1e-2, 1e-1], cv=3, max_iter=200, l1_ratios=(0.0,), use_legacy_attributes=False
                ),
            ).fit(features.at("top", fit_rows), y[fit_rows])
            scaler, linear = probe[0], probe[1]
            weight = linear.coef_ / scaler.scale_
            head = torch.nn.Linear(weight.shape[1], len(weight))
            head.weight.data = torch.tensor(weight, dtype=torch.float32)
            head.bias.data = torch.tensor(linear.intercept_ - weight @ scaler.mean_, dtype=torch.float32)
            recipe = finetune(len(fit_rows), epochs=told["epochs"])
            model = Transferred(load(GRID["backbone"], size=GRID["size"]), head, source_statistics=True)
            model = model.to(memory_format=torch.channels_last)

            def batches(rows: np.ndarray, size: int) -> Batches:
                return Batches(looked.pixels, backbone.preprocessing.tensor, usable[rows], y[rows], size)  # noqa: B023

            # The last epoch is kept (its loss is given as the least), so that no part of the 40 % is read.
            state = RUNS / f"by-hand-{case}-{seed}.safetensors"
            steps = iter(range(told["epochs"] + 1))
            curve = train(
                model,
                batches(fit_rows, recipe.batch_size),
                objective=CrossEntropy(recipe.label_smoothing),
                recipe=recipe,
                seed=seed,
                evaluate=lambda _: Scores(np.full(2, -float(next(steps))), 0.0),  # noqa: B023
                checkpoint=state,
                progress=lambda *_: None,
            )
            assert curve.best_epoch == told["epochs"]
            value = score(model, batches(test_rows, 64)).accuracy
            append(
                {
                    "what": "by-hand",
                    "case": case,
                    "seed": seed,
                    "cut": "fine-tuned",
                    "value": value,
                    "n": len(test_rows),
                }
            )


def _own_probe(features: Any, y: np.ndarray, *, fit_rows: np.ndarray, test_rows: np.ndarray, seed: int) -> float:
    """Accuracy of the best head at the best cuts, chosen by cross-validation on `fit_rows` without groups."""
    from headstart.data import folds
    from headstart.shallow import best, compete, fit_probe, screen, shortlist

    z, z_test = ({cut: features.at(cut, rows) for cut in features.cuts} for rows in (fit_rows, test_rows))
    parts = folds(y[fit_rows], np.arange(len(fit_rows)), 5, seed=seed)
    screened = screen(z, y[fit_rows], parts, metric="accuracy")
    competed = compete(
        z, y[fit_rows], parts, cuts=shortlist(screened, last="top"), metric="accuracy", screened=screened
    )
    chosen = best([*screened, *competed])
    head = fit_probe(chosen, z, y[fit_rows])
    joined = np.concatenate([z_test[cut] for cut in chosen.cuts], axis=1)
    return float((head.predict(joined) == y[test_rows]).mean())


def frozen() -> None:
    """Other sizes and backbones, with heads only."""
    told = GRID["frozen"]
    for case in told["cases"]:
        for size in told["sizes"]:
            for backbone in told["backbones"]:
                for seed in told["seeds"]:
                    cell = {"what": "frozen", "case": case, "size": size, "backbone": backbone, "seed": seed}
                    if done(**cell):
                        continue
                    run = RUNS / f"frozen-{case}-{size}-{backbone.rpartition('_')[2]}-{seed}"
                    command = ["-m", "headstart", "fit", CASES / case, "--out", run, "--strategy", "probe", "--json"]
                    command += ["--backbone", backbone, "--size", size, "--seed", seed, "--budget", "5m"]
                    out = subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.PIPE)
                    told_run = json.loads(out.stdout)
                    test = told_run["test"]
                    append(cell | {k: test[k] for k in ("value", "low", "high", "n")})


TITLES = {
    "last_layer": "probe on the last layer",
    "probe": "probe: best head and cuts",
    "last_block": "fine-tuning the last block",
    "upper_half": "fine-tuning the upper half",
    "all": "fine-tuning everything",
    "scratch": "training from scratch",
    "frozen_random": "frozen random network",
    "final": "**final**",
}


def table() -> None:
    """Markdown of everything recorded; intervals resample seeds, then groups of test images."""
    rows = recorded()
    print(f"\n{machine_of(rows)}\n")
    for case in GRID["cases"]:
        cells: dict[str, dict[int, Row]] = defaultdict(dict)
        for row in rows:
            if row["what"] == "finalist" and row["case"] == case:
                cells[row["strategy"]][row["seed"]] = row
        if not cells:
            continue
        seeds = sorted(cells["final"])
        groups = {seed: np.array(cells["final"][seed]["groups"]) for seed in seeds}
        print(f"### {case} (seeds {', '.join(map(str, seeds))}; {cells['final'][seeds[0]]['n']} test images)\n")
        print("| model | test accuracy, mean (95 % interval) | against the last layer, points | epochs |")
        print("|---|---|---|---|")
        for name in ("last_layer", "probe", "last_block", "upper_half", "all", "scratch", "frozen_random", "final"):
            have = [seed for seed in seeds if seed in cells[name]]
            if not have:
                continue
            right = {s: np.array([c == "1" for c in cells[name][s]["correct"]], float) for s in have}
            base = {s: np.array([c == "1" for c in cells["last_layer"][s]["correct"]], float) for s in have}
            value = resampled(right, groups)
            gain = resampled({s: right[s] - base[s] for s in have}, groups)
            epochs = sorted({cells[name][s].get("epochs", 0) for s in have})
            shown = (
                "–" if name == "last_layer" else f"{100 * gain[0]:+.1f} ({100 * gain[1]:+.1f} to {100 * gain[2]:+.1f})"
            )
            told = "–".join(str(e) for e in {epochs[0], epochs[-1]}) if epochs[-1] else ""
            print(
                f"| {TITLES[name]} | {100 * value[0]:.1f} ({100 * value[1]:.1f}–{100 * value[2]:.1f}) "
                f"| {shown} | {told} |"
            )
        finals = [cells["final"][s] for s in seeds]
        kinds = ", ".join(f"{f['kind']} ({f['chosen']})" for f in finals)
        print(f"\nVerdicts by seed: {kinds}.")
        times = [f["total_s"] / f["budget_s"] for f in finals]
        peak = max(f["peak_bytes"] for f in finals) / 1e9
        print(f"Time over budget: {min(times):.2f}–{max(times):.2f}; peak memory {peak:.1f} GB.\n")
    table_by_hand(rows)
    table_frozen(rows)


def table_by_hand(rows: list[Row]) -> None:
    """Mean over seeds by cut."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["what"] == "by-hand":
            found[row["case"], row["cut"]].append(row["value"])
    if found:
        print(
            "### By hand: 60/40, no groups\n\n"
            "| case | cut | test accuracy, mean (least–most) | seeds |\n|---|---|---|---|"
        )
        for (case, cut), values in found.items():
            spread = f"{100 * np.mean(values):.1f} ({100 * min(values):.1f}–{100 * max(values):.1f})"
            print(f"| {case} | {cut} | {spread} | {len(values)} |")
        print()


def table_frozen(rows: list[Row]) -> None:
    """Mean over seeds by size and backbone."""
    found: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["what"] == "frozen":
            found[row["case"], row["size"], row["backbone"]].append(row["value"])
    if found:
        print(
            "### Frozen: sizes and backbones\n\n| case | size | backbone | test accuracy, mean (least–most) | seeds |"
        )
        print("|---|---|---|---|---|")
        for (case, size, backbone), values in found.items():
            spread = f"{100 * np.mean(values):.1f} ({100 * min(values):.1f}–{100 * max(values):.1f})"
            print(f"| {case} | {size} | {backbone} | {spread} | {len(values)} |")
        print()


def machine_of(rows: list[Row]) -> str:
    """Processors that the recorded cells ran on."""
    seen = {
        json.dumps(r["machine"]["processor"]) + " " + " ".join(r["machine"]["flags"]) for r in rows if "machine" in r
    }
    return "Processor: " + "; ".join(sorted(seen)) if seen else ""


def resampled(
    values: dict[int, np.ndarray], groups: dict[int, np.ndarray], draws: int = 2000
) -> tuple[float, float, float]:
    """Mean over seeds and images, with the 2.5 % and 97.5 % quantiles of a two-stage bootstrap."""
    rng = np.random.default_rng(0)
    sums: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for seed, right in values.items():
        _, where = np.unique(groups[seed], return_inverse=True)
        sums[seed] = (np.bincount(where, right), np.bincount(where).astype(float))
    seeds = list(values)
    means = []
    for _ in range(draws):
        drawn = []
        for seed in rng.choice(seeds, len(seeds)):
            total, count = sums[int(seed)]
            chosen = rng.integers(0, len(total), len(total))
            drawn.append(total[chosen].sum() / count[chosen].sum())
        means.append(np.mean(drawn))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean([v.mean() for v in values.values()])), float(low), float(high)


if __name__ == "__main__":
    commands = {"fit": fit, "judge": judge, "by-hand": by_hand, "frozen": frozen, "table": table}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
