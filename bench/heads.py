#!/usr/bin/env python3
"""Heads for nothing: closed forms against scikit-learn's LogisticRegressionCV, and what bfloat16 features cost.

python bench/heads.py            measure what bench/grids/engine.toml declares and is not recorded yet
python bench/heads.py table      print the tables
"""

from __future__ import annotations

import sys
import time

import numpy as np
from measuring import CASES, GRID, done, fresh_cache, note, recorded


def heads() -> None:
    """All cuts, penalties and folds in closed form, against LogisticRegressionCV cut by cut, in turn."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from headstart.data import folds
    from headstart.shallow import compete, screen, shortlist

    for case in GRID["heads"]["cases"]:
        if done(what="heads", case=case):
            continue
        z, y, groups = case_features(case, "openvino-f32")
        parts = folds(y, groups, 5, seed=0)
        screen({"top": z["top"]}, y, parts)
        screened, times, best = [], [], 0.0
        for cut in z:
            started = time.perf_counter()
            screened += screen({cut: z[cut]}, y, parts)
            ours = time.perf_counter() - started
            search = LogisticRegressionCV(Cs=13, cv=parts, max_iter=200, n_jobs=2, scoring="accuracy")
            started = time.perf_counter()
            fitted = make_pipeline(StandardScaler(), search).fit(z[cut], y)[-1]
            times.append((ours, time.perf_counter() - started))
            best = max(best, float(np.mean(next(iter(fitted.scores_.values())), axis=0).max()))
        started = time.perf_counter()
        screen(z, y, parts)
        at_once = time.perf_counter() - started
        started = time.perf_counter()
        competed = compete(z, y, parts, cuts=shortlist(screened, last="top"), screened=screened)
        ratios = sorted(peer / ours for ours, peer in times)
        peer = sum(theirs for _, theirs in times)
        note(
            {
                "what": "heads",
                "case": case,
                "bar": GRID["heads"]["bar"],
                "ours_s": at_once,
                "competition_s": time.perf_counter() - started,
                "peer_s": peer,
                "ratio": [ratios[0], peer / at_once, ratios[-1]],
                "ours": max(probe.value for probe in screened),
                "competed": max(probe.value for probe in competed),
                "peer": best,
            }
        )


def case_features(case: str, engine: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Features of a case at 128 pixels by cut from one engine, its labels, and its groups of duplicates."""
    from headstart.backbones import load
    from headstart.backbones.conversion import to_graph
    from headstart.backbones.graphs import OpenVINOEngine, compile_graph
    from headstart.data import find_duplicates, merge_groups, survey
    from headstart.problem import read_labelled

    labelled = read_labelled(CASES / case)
    with fresh_cache() as cache:
        looked = survey(labelled.x, 128, cache=cache)
        usable = np.array([i for i, key in enumerate(looked.ids) if key])
        backbone = load("packaged/efficientnet_lite0", size=128)
        graph = to_graph(backbone, backbone.preprocessing)
        runs = OpenVINOEngine(compile_graph(graph, precision=engine.removeprefix("openvino-")), backbone.cuts)
        if runs.name != engine:
            sys.exit(f"This processor runs {runs.name}, not {engine}: that cell is for another machine.")
        parts = [runs(looked.pixels(usable[at : at + 32])) for at in range(0, len(usable), 32)]
        groups = merge_groups(find_duplicates(looked).groups, labelled.x.groups)
    z = {cut: np.concatenate([part[cut] for part in parts]) for cut in backbone.cuts if cut != "logits"}
    return z, labelled.y[usable], groups[usable]


def precision() -> None:
    """Accuracy of the best probe, out of fold, on features of both precisions."""
    from headstart.data import folds
    from headstart.shallow import best, compete, screen, shortlist

    for case in GRID["precision"]["cases"]:
        wanted = [seed for seed in GRID["precision"]["seeds"] if not done(what="precision", case=case, seed=seed)]
        if not wanted:
            continue
        found = {name: case_features(case, f"openvino-{name}") for name in ("bf16", "f32")}
        for seed in wanted:
            values = {}
            for name, (z, y, groups) in found.items():
                parts = folds(y, groups, 5, seed=seed)
                screened = screen(z, y, parts)
                cuts = shortlist(screened, last="top")
                values[name] = best([*screened, *compete(z, y, parts, cuts=cuts, screened=screened)]).value
            note({"what": "precision", "case": case, "seed": seed, "bar": GRID["precision"]["bar"], **values})


def table() -> None:
    """Markdown of everything recorded."""
    print(
        "| case | ridge at all cuts | LogisticRegressionCV | peer / ours, all cuts (least to most by cut) | bar |",
        end="",
    )
    print(" best ridge | best of the peer | all heads, of the shortlist |\n|---|---|---|---|---|---|---|---|")
    for row in recorded():
        if row["what"] == "heads":
            low, middle, high = row["ratio"]
            times = f"{row['ours_s']:.3g} s | {row['peer_s']:.3g} s | {middle:.0f}× ({low:.0f} to {high:.0f})"
            values = f"{100 * row['ours']:.1f} | {100 * row['peer']:.1f}"
            more = f"{100 * row['competed']:.1f} in {row['competition_s']:.1f} s"
            print(f"| {row['case']} | {times} | {row['bar']:g}× | {values} | {more} |")
    print("\n| case | best probe, bf16 − float32, points: mean (least to most) | bar | seeds |\n|---|---|---|---|")
    for case in GRID["precision"]["cases"]:
        gains = [100 * (r["bf16"] - r["f32"]) for r in recorded() if r["what"] == "precision" and r["case"] == case]
        if gains:
            told = f"{np.mean(gains):+.2f} ({min(gains):+.2f} to {max(gains):+.2f})"
            print(f"| {case} | {told} | {GRID['precision']['bar']} | {len(gains)} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        heads()
        precision()
    table()
