"""Subsets of real cases for `bench/advice.py` and what stands on it: labelled images, and others to judge on."""

from __future__ import annotations

import csv
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SIZE = tomllib.loads((HERE / "grids/advice.toml").read_text())["size"]
RUNS = HERE / "results/advice"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()


def classes_of(case: str) -> int:
    """Classes of a case."""
    folder = CASES / case / "train" if (CASES / case / "train").exists() else CASES / case
    return sum(1 for path in folder.iterdir() if path.is_dir())


def images_of(case: str) -> int:
    """Images in a case: a subset of all of them would leave none to judge on."""
    return sum(1 for path in (CASES / case).rglob("*") if path.is_file())


class Test:
    """The images that a subset is judged on, read."""

    def __init__(self, paths: list[Path], labels: list[str]) -> None:
        from headstart.data import survey
        from headstart.problem import read_labelled
        from headstart.runs.machine import cache_folder

        table = RUNS / f"test-{os.getpid()}.csv"
        with table.open("w") as file:
            csv.writer(file).writerows([("path", "label"), *((path, k) for path, k in zip(paths, labels, strict=True))])
        labelled = read_labelled(table)
        self.looked = survey(labelled.x, SIZE, cache=cache_folder())
        table.unlink()
        usable = np.array([bool(key) for key in self.looked.ids])
        self.rows, self.y = np.flatnonzero(usable), labelled.y[usable]

    def right(self, model: Any) -> np.ndarray:
        """Which of them a model names rightly, (m,)."""
        logits = self._frozen(model) if model.frozen == "top" else self._trained(model)
        right: np.ndarray = logits.argmax(1) == self.y
        return right

    def _frozen(self, model: Any) -> np.ndarray:
        """Logits, from features that the store keeps: the same images are judged in every cell."""
        import torch

        from headstart.features import extract
        from headstart.runs.machine import cache_folder

        told = {"cache": cache_folder(), "device": torch.device("cpu"), "progress": lambda *_: None}
        found = extract(model.backbone, self.looked, self.rows, **told)
        ids = [self.looked.ids[i] for i in self.rows]
        z = torch.from_numpy(np.concatenate([found.of(cut, ids) for cut in model.cuts], 1))
        with torch.inference_mode():
            logits: np.ndarray = model.head(z).numpy()
        return logits

    def _trained(self, model: Any) -> np.ndarray:
        import torch

        from headstart.data.batches import Batches
        from headstart.training import predict_logits

        preprocessing = model.backbone.preprocessing

        def ready(pixels: np.ndarray) -> torch.Tensor:
            tensor: torch.Tensor = preprocessing.tensor(torch.from_numpy(pixels))
            return tensor

        keys = [self.looked.ids[i] for i in self.rows]
        return predict_logits(model, Batches(self.looked.pixels, ready, self.rows, self.y, 64, keys))


def subset(case: str, n: int, seed: int) -> tuple[Path, Test]:
    """A table of `n` labelled images, split three to one, and the images to judge on."""
    from headstart.problem import read_labelled

    labelled = read_labelled(CASES / case)
    paths = [Path(labelled.x.root or "") / labelled.x.label_of(i) for i in range(len(labelled.y))]
    if case == "fashion":
        rng = np.random.default_rng(seed)
        order = rng.permutation([i for i, part in enumerate(labelled.parts or ()) if part == "train"])
        k = len(labelled.task.classes)
        of_class = [order[labelled.y[order] == c][: n // k] for c in range(k)]
        train = np.concatenate([each[: 3 * len(each) // 4] for each in of_class])
        val = np.concatenate([each[3 * len(each) // 4 :] for each in of_class])
        test = np.array([i for i, part in enumerate(labelled.parts or ()) if part == "test"])
    else:
        train, val, test = split_of(labelled, n, seed)
    RUNS.mkdir(parents=True, exist_ok=True)
    table = RUNS / f"{case}-{n}-{seed}.csv"
    names = labelled.task.classes
    with table.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for part, rows in (("train", train), ("val", val)):
            writer.writerows((paths[i], names[labelled.y[i]], part) for i in rows)
    return table, Test([paths[i] for i in test], [names[k] for k in labelled.y[test]])


def split_of(labelled: Any, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test images of a case, near duplicates on one side."""
    from headstart.data import find_duplicates, split, survey
    from headstart.runs.machine import cache_folder

    looked = survey(labelled.x, SIZE, cache=cache_folder())
    share = n / len(labelled.y)
    shares = (0.75 * share, 0.25 * share, 1 - share)
    groups = find_duplicates(looked).groups
    parts = split(labelled.y, groups, seed=seed, fractions=shares, broken=looked.broken)
    return parts.train, parts.val, parts.test
