"""Runs that never ran: journals with plausible values, as the plan of the house has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.records import Journal, Record

BLOCKS = ["stem", "block0", "block1", "block2", "block3", "block4", "block5", "block6", "top", "logits"]
CUTS = {
    "packaged/efficientnet_lite0": BLOCKS,
    "packaged/efficientnet_lite1": BLOCKS,
    "packaged/efficientnet_lite2": [*BLOCKS, "block4+top"],
}
BEST = "packaged/efficientnet_lite2"
TITLES = {
    "probe": "Frozen backbone, best head",
    "last_block": "Last block fine-tuned",
    "all": "Everything fine-tuned",
    "scratch": "From scratch",
    "frozen_random": "Head on a random network",
}
FLOWERS = ["bellflower", "daisy", "foxglove", "marigold", "oxeye", "poppy", "primrose", "rose", "thistle", "tulip"]


def measured(value: float, n: int, *, half: float = 0.025) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half), "n": n}


def plan(*, metric: str = "accuracy", folds: int | None = None, strategy: str = "auto") -> Record:
    names = [
        "Read the images",
        "Compute features",
        "Probe the cuts",
        "Fine-tune the last block",
        "Fine-tune everything",
    ]
    options = {
        "data": "photos/my flowers",
        "backbones": list(CUTS),
        "strategy": strategy,
        "budget": 1200.0,
        "split": [0.6, 0.2, 0.2],
        "size": 224,
        "metric": metric,
        "margin": 0.01,
        "seed": 3,
        "device": "cpu",
        "strict": False,
    }
    machine = {
        "processor": "AMD EPYC 7543 32-Core Processor",
        "flags": ["avx2", "fma"],
        "cores": 4,
        "python": "3.11.7",
        "versions": {"torch": "2.8.0", "numpy": "2.3.1", "headstart": "0.1.0"},
    }
    detail = {
        "budget_s": 1200.0,
        "options": options,
        "units": [{"key": f"u{i}", "name": name, "seconds": 40.0 * (i + 1)} for i, name in enumerate(names)],
        "folds": folds,
        "calibration": {BEST: {"forward_s": 0.01, "step_s": {"all": 0.4}}},
        "precision": "float32",
        "machine": machine,
        "notes": ["Fine-tuning of all layers at 256 pixels does not fit the budget and was left out."],
    }
    return Record("plan", "plan", seed=3, detail=detail)


def data(classes: list[str], *, images: int = 1500) -> Record:
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(len(classes), 9.0))
    counts = {}
    for name, one in zip(classes, shares, strict=True):
        n = int(one * images) + 5
        counts[name] = {"train": round(0.6 * n), "val": round(0.2 * n), "test": round(0.2 * n)}
    detail = {
        "root": "photos/my flowers",
        "layout": "one folder a class",
        "classes": classes,
        "counts": counts,
        "parts": {p: sum(c[p] for c in counts.values()) for p in ("train", "val", "test")} | {"aside": 3},
        "broken": [{"path": f"{classes[0]}/img_004.jpg", "reason": "cut off after 1.2 kB"}],
        "groups": [
            {"kind": "exact", "paths": [f"{classes[0]}/a.jpg", f"{classes[0]}/a copy.jpg"], "classes": [classes[0]]},
            {"kind": "near", "paths": [f"{classes[1]}/b.jpg", f"{classes[1]}/b2.jpg"], "classes": [classes[1]]},
        ],
        "leaks": [{"path": f"{classes[1]}/c.jpg", "part": "test", "copies": [f"{classes[1]}/c2.jpg"]}],
        "conflicts": [{"paths": [f"{classes[0]}/x.jpg", f"{classes[1]}/x.jpg"], "classes": classes[:2]}],
        "widths": {"min": 180, "median": 640, "max": 4032},
        "heights": {"min": 200, "median": 480, "max": 3024},
        "notes": ["The smallest class has 4 times fewer images than the largest."],
    }
    numbers = {"images": images, "classes": len(classes), "broken": 1, "duplicates": 4}
    return Record(
        "data", "data", data="9f2c41d0a7b36e58", metrics={**numbers, "near_duplicates": 6, "aside": 3}, detail=detail
    )


def probes() -> list[Record]:
    records = []
    for b, (backbone, cuts) in enumerate(CUTS.items()):
        for i, cut in enumerate(cuts):
            depth = i / (len(BLOCKS) - 1)
            value = 0.42 + 0.05 * b + 0.78 * depth - 0.37 * depth**2 - (0.04 if cut == "logits" else 0)
            records.append(
                Record(
                    f"probe/{backbone}/{cut}",
                    "probe",
                    part="train",
                    backbone=backbone,
                    cut=cut,
                    recipe={"head": "ridge", "penalty": 10.0 ** (1 + i % 3)},
                    metrics=measured(min(0.93, value), 900),
                    cost={"seconds": 0.4 + 0.2 * i},
                    detail={"screen": True},
                )
            )
    for head, value in (("ridge", 0.902), ("logistic", 0.913), ("neighbours", 0.871), ("prototypes", 0.862)):
        records.append(
            Record(
                f"probe/{BEST}/top/{head}",
                "probe",
                part="train",
                backbone=BEST,
                cut="top",
                recipe={"head": head, "penalty": 31.6},
                metrics=measured(value, 900),
                cost={"seconds": 2.5},
                detail={"screen": False},
            )
        )
    return records


def rungs() -> list[Record]:
    """Two halvings of nine networks, the first one on fewer images."""
    named = [*CUTS, *(f"random/resnet{depth}" for depth in (10, 14, 18, 26, 34, 50))]
    fates = [[*["left"] * 4, "yielded", "left", "lower", "worse", "worse"], [*["left"] * 4, "lower"]]
    records = []
    for number, (fate, images) in enumerate(zip(fates, (250, 500), strict=True)):
        networks = [
            {
                "backbone": name,
                "cut": "block5",
                "penalty": 10.0,
                "metrics": measured(0.9 - 0.03 * i, images),
                "to_best": {"difference": -0.03 * i, "low": -0.03 * i - 0.1, "high": 0.1 - 0.03 * i} if i else None,
                "fate": fate[i],
            }
            for i, name in enumerate(named[: len(fate)])
        ]
        detail = {"networks": networks, "level": 0.9, "margin": 0.01}
        metrics, cost = measured(0.9, images), {"seconds": 20.0}
        records.append(Record(f"rung/{number}", "rung", backbone=BEST, metrics=metrics, cost=cost, detail=detail))
    return records


def curve(*, epochs: int, start: float, floor: float, rises: bool) -> dict[str, Any]:
    points = []
    for epoch in range(1, epochs + 1):
        fall = np.exp(-epoch / (epochs / (5 if rises else 2)))
        loss = floor + (start - floor) * fall + (0.015 * max(0, epoch - 0.6 * epochs) if rises else 0)
        point = {"epoch": epoch, "train_loss": 0.5 * floor + (start - 0.5 * floor) * fall, "loss": loss}
        points.append(point | {"value": 1 - loss / 3})
    best = min(points, key=lambda point: point["loss"])["epoch"]
    return {"points": points, "best_epoch": best, "stopped": "no better for 5 epochs" if rises else "all epochs done"}


def candidates(names: list[str], *, folds: int | None = None) -> list[Record]:
    values = {"probe": 0.912, "last_block": 0.921, "all": 0.905, "scratch": 0.548, "frozen_random": 0.412}
    shares = {"probe": 0.0003, "last_block": 0.62, "all": 1.0, "scratch": 1.0, "frozen_random": 0.0003}
    seconds = {"probe": 21.0, "last_block": 188.0, "all": 412.0, "scratch": 398.0, "frozen_random": 14.0}
    records = []
    for name in names:
        trained = name in ("last_block", "all", "scratch")
        kind = {"epochs": 24 if name == "scratch" else 14, "start": 2.3, "floor": 1.4 if name == "scratch" else 0.31}
        curves = [curve(**kind, rises=name != "scratch")] * (folds or 1) if trained else []
        records.append(
            Record(
                f"candidate/{name}",
                "candidate",
                part="folds" if folds else "val",
                backbone=BEST,
                cut="" if name in ("all", "scratch") else "block5" if trained else "top",
                strategy=name,
                seed=3,
                recipe={"epochs": kind["epochs"], "lr": 3e-4} if trained else {"head": "logistic", "penalty": 31.6},
                metrics=measured(values[name], 300, half=0.03) | {"log_loss": 1.3 - values[name]},
                cost={"seconds": seconds[name], "images": 900} | ({"epochs": kind["epochs"]} if trained else {}),
                detail={
                    "title": TITLES[name],
                    "trainable": int(11_181_642 * shares[name]),
                    "parameters": 11_181_642,
                    "curves": curves,
                    "predictions": f"work/{name}.npz",
                },
            )
        )
    return records


def verdict() -> Record:
    pairs = (("last_block", 0.009, -0.010, 0.027), ("all", -0.007, -0.03, 0.016), ("scratch", -0.364, -0.42, -0.31))
    comparisons = [{"a": a, "b": "probe", "difference": d, "low": low, "high": high} for a, d, low, high in pairs]
    comparisons.append({"a": "probe", "b": "frozen_random", "difference": 0.5, "low": 0.44, "high": 0.56})
    return Record(
        "verdict",
        "verdict",
        part="val",
        detail={
            "kind": "freeze",
            "level": 0.9,
            "ladder": [
                {"a": "last_block", "b": "probe", "difference": 0.009, "low": -0.010, "high": 0.027},
                {"a": "all", "b": "last_block", "difference": -0.016, "low": -0.04, "high": 0.01},
            ],
            "why": ["Labels: 1,200 images, 240 a class."],
            "sentence": "Freeze the backbone: fine-tuning gained no more than chance on these images.",
            "reasons": [
                "The last block fine-tuned is 0.9 points higher, but the interval of the difference includes none.",
                "The frozen backbone took a ninth of the time.",
            ],
            "chosen": "probe",
            "best": "last_block",
            "margin": 0.01,
            "comparisons": comparisons,
            "transfer": "helps",
        },
    )


def final() -> Record:
    return Record(
        "final",
        "final",
        backbone=BEST,
        cut="top",
        strategy="probe",
        recipe={"head": "logistic", "penalty": 31.6},
        cost={"seconds": 24.0},
        detail={"curves": [], "refit": True},
    )


def tested(classes: list[str], folder: Path, *, pictures: bool = True) -> Record:
    rng = np.random.default_rng(2)
    k = len(classes)
    confusion = np.zeros((k, k), int)
    for i in range(k):
        n = int(rng.integers(20, 40))
        wrong = rng.multinomial(max(1, n // 10), rng.dirichlet(np.full(k, 0.3)))
        wrong[i] = 0
        confusion[i] = wrong
        confusion[i, i] = n - wrong.sum()
    right, n = int(np.trace(confusion)), int(confusion.sum())
    per_class = [
        {
            "class": name,
            "n": int(confusion[i].sum()),
            "recall": float(confusion[i, i] / confusion[i].sum()),
            "precision": float(confusion[i, i] / max(1, confusion[:, i].sum())),
        }
        for i, name in enumerate(classes)
    ]
    mistakes = [_mistake(classes, index, folder, pictures=pictures) for index in range(8)]
    scores = {"accuracy": right / n, "balanced_accuracy": right / n - 0.004, "macro_f1": right / n - 0.006}
    return Record(
        "test",
        "test",
        part="test",
        metrics=measured(right / n, n) | scores | {"log_loss": 0.297, "calibration_error": 0.021},
        detail={"classes": classes, "confusion": confusion.tolist(), "per_class": per_class, "mistakes": mistakes},
    )


def _mistake(classes: list[str], index: int, folder: Path, *, pictures: bool) -> dict[str, Any]:
    truth, predicted = classes[index % len(classes)], classes[(index + 1) % len(classes)]
    names = [f"pictures/test_{index}_{i}.{'png' if i % 2 else 'jpg'}" for i in range(4)]
    if pictures:
        for i, name in enumerate(names):
            _picture(folder / name, seed=10 * index + i)
    near = [
        {"path": f"{c}/n{i}.jpg", "class": c, "picture": names[i]}
        for i, c in ((1, predicted), (2, predicted), (3, truth))
    ]
    return {
        "path": f"{truth}/img_{index:04d}.jpg",
        "truth": truth,
        "predicted": predicted,
        "probability": 0.99 - 0.03 * index,
        "picture": names[0],
        "neighbours": near,
    }


def _picture(path: Path, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 230, (5, 5, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(path)


def ending() -> list[Record]:
    files = {
        "model.safetensors": {"bytes": 86_512_344, "sha256": "ab" * 32},
        "graph.xml": {"bytes": 412_000, "sha256": "cd" * 32},
    }
    names = ["Read the images", "Compute features", "Probe the cuts", "Fine-tune", "Test and write"]
    planned, spent = (40, 80, 30, 600, 30), (36, 91, 24, 655, 22)
    stages = [
        {"key": f"s{i}", "name": name, "planned_s": float(p), "spent_s": float(s)}
        for i, (name, p, s) in enumerate(zip(names, planned, spent, strict=True))
    ]
    totals = {"budget_s": 1200.0, "total_s": float(sum(spent)), "peak_bytes": 3_420_000_000}
    return [
        Record("bundle", "bundle", detail={"files": files, "parity": 2.4e-6}),
        Record("spent", "spent", detail={"stages": stages, **totals}),
    ]


Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A function that writes a run folder: its classes, its strategies, how far it went."""

    def make(
        *,
        classes: list[str] | None = None,
        names: list[str] | None = None,
        folds: int | None = None,
        metric: str = "accuracy",
        pictures: bool = True,
        until: str = "spent",
        halved: bool = False,
    ) -> Path:
        folder = tmp_path_factory.mktemp("run")
        journal = Journal(folder / "records.jsonl")
        classes = classes or FLOWERS
        names = list(TITLES) if names is None else names
        records = [plan(metric=metric, folds=folds), data(classes), *(rungs() if halved else []), *probes()]
        records += candidates(names, folds=folds)
        records += [verdict()] if len(names) > 1 else []
        records += [final(), tested(classes, folder, pictures=pictures), *ending()]
        for record in records:
            journal.append(record)
            if record.what == until and until != "probe":
                break
        return folder

    return make
