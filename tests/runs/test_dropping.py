"""A strategy that is shown to be worse is dropped after a fold, and never chosen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from headstart.records import Journal, Record
from headstart.runs.context import keep_predictions
from headstart.runs.dropping import Rivals
from headstart.strategies import TABLE

N, FOLDS = 150, 3
Y = np.arange(N) % 2


def shares(right: float, seed: int) -> np.ndarray:
    """Probabilities that are right on this share of the images."""
    said = np.where(np.random.default_rng(seed).random(N) < right, Y, 1 - Y)
    return np.eye(2)[said]


def finished(folder: Path, journal: Journal, name: str, right: float, curves: list[Any], dropped: str = "") -> None:
    keep_predictions(folder / f"{name}.safetensors", np.arange(N), shares(right, len(name)))
    detail = {"predictions": f"{name}.safetensors", "curves": curves, "dropped": dropped}
    value = float((shares(right, len(name)).argmax(1) == Y).mean())
    journal.append(Record(f"candidate/{name}", "candidate", strategy=name, metrics={"value": value}, detail=detail))


@pytest.fixture
def rivals(tmp_path: Path) -> Any:
    journal = Journal(tmp_path / "records.jsonl")
    options = SimpleNamespace(metric="accuracy", margin=0.005)
    context: Any = SimpleNamespace(folder=tmp_path, journal=journal, options=options)
    prepared: Any = SimpleNamespace(y=Y, groups=np.arange(N))
    curve = {"points": [{"loss": 0.9}, {"loss": 0.4}, {"loss": 0.3}], "best_epoch": 1}
    finished(tmp_path, journal, "probe", 0.9, [])
    finished(tmp_path, journal, "last_block", 0.8, [curve, {**curve, "best_epoch": 0}])
    finished(tmp_path, journal, "scratch", 0.99, [{"points": [{"loss": 0.01}], "best_epoch": 0}])
    finished(tmp_path, journal, "norms", 0.99, [{"points": [{"loss": 0.01}], "best_epoch": 0}], dropped="Dropped.")
    return lambda name: Rivals(context, prepared, TABLE[name])


def first(right: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """What a strategy said of the first fold's images."""
    return [(np.arange(N // FOLDS), shares(right, 7)[: N // FOLDS])]


def test_it_is_dropped_only_where_it_is_shown_to_be_worse_than_the_best_that_stayed(rivals: Any) -> None:
    said = rivals("all").beat(first(0.3), of=FOLDS)
    assert said.startswith("Dropped after 1 of 3 trainings: ") and said.endswith(f"than {TABLE['probe'].title}.")
    assert rivals("scratch").beat(first(0.3), of=FOLDS) == said
    assert rivals("all").beat(first(0.85), of=FOLDS) == ""
    assert rivals("all").beat([], of=FOLDS) == ""


def test_what_only_fits_a_head_is_never_dropped(rivals: Any) -> None:
    assert rivals("frozen_random").beat(first(0.1), of=FOLDS) == ""


def test_the_rival_is_the_lowest_loss_of_a_transferred_training_on_the_same_replicate(rivals: Any) -> None:
    assert (rivals("all").loss(0), rivals("all").loss(1), rivals("all").loss(2)) == (0.4, 0.9, None)
    assert rivals("scratch").loss(0) is None
