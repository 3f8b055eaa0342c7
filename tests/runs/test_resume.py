"""Stopped anywhere, the same command goes on and ends with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from headstart.advice import costs, shares
from headstart.errors import StorageError
from headstart.records import Journal
from headstart.runs import finetuning
from headstart.runs.run import Run

Fit = Callable[..., Run]

TIMES = ("seconds", "extraction_seconds", "images")

STAGES = [
    ("reading images", 60),
    ("measuring this machine", 1),
    ("features of random/test_resnet", 100),
    ("heads on random/test_resnet", 7),
    ("the frozen part, for fine-tuning the last block", 60),
    ("fine-tuning the last block", 7),
    ("fine-tuning the upper half", 9),
    ("training from scratch", 13),
    ("writing the bundle", 0),
]


def stopping_at(stage: str, done: int) -> Callable[[str, int, int], None]:
    def progress(at: str, reached: int, total: int) -> None:
        if at == stage and reached >= done:
            raise KeyboardInterrupt

    return progress


def told(run: Path) -> list[dict[str, Any]]:
    """Return what the records say, without the time that it took."""
    rows = []
    for record in Journal(run / "records.jsonl"):
        # The exporter names the nodes of a graph anew each time; the weights are compared below.
        if record.what in ("plan", "spent", "bundle"):
            continue
        cost = {name: value for name, value in record.cost.items() if name not in TIMES}
        rows.append({"key": record.key, "metrics": record.metrics, "detail": record.detail, "cost": cost})
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "done"), STAGES, ids=[stage for stage, _ in STAGES])
def test_an_interrupted_run_ends_with_the_same_bits(
    small_fit: Fit,
    unbroken: Path,
    _digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    done: int,
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    with pytest.raises(KeyboardInterrupt):
        small_fit(tmp_path / "broken", data=_digits, progress=stopping_at(stage, done))
    finished = {record.key for record in Journal(tmp_path / "broken" / "records.jsonl")}
    broken = small_fit(tmp_path / "broken", data=_digits).folder
    keys = [record.key for record in Journal(broken / "records.jsonl")]
    assert len(keys) == len(set(keys))
    assert finished <= set(keys)
    assert told(broken) == told(unbroken)
    ours, theirs = (load_file(run / "model.safetensors") for run in (broken, unbroken))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    for path in (unbroken / "work").glob("*predictions.safetensors"):
        assert path.read_bytes() == (broken / "work" / path.name).read_bytes()


@pytest.mark.slow
def test_without_room_for_activations_the_bits_are_the_same(
    small_fit: Fit, _digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = small_fit(tmp_path / "stored", data=_digits, strategy="last_block").folder
    tried = Journal(stored / "records.jsonl").get("candidate/last_block")
    assert tried is not None and len(tried.detail["trials"][0]) == shares.MOST_TRIALS
    asked: list[int] = []

    def full(*_: object, views: int, **__: object) -> None:
        asked.append(views)
        raise StorageError("The disk is full.", "")

    monkeypatch.setattr(finetuning, "activations", full)
    run = small_fit(tmp_path / "run", data=_digits, strategy="last_block").folder
    assert asked and set(asked) == {costs.VIEWS}
    name = "work/last_block-predictions.safetensors"
    assert (run / name).read_bytes() == (stored / name).read_bytes()
    record = Journal(run / "records.jsonl").get("candidate/last_block")
    assert record is not None and "no room" in record.detail["note"] and tried.detail["note"] == ""
    assert record.detail["trials"] == tried.detail["trials"]
    assert record.recipe["lr"] == min(record.detail["trials"][0], key=lambda trial: trial["loss"])["lr"]
    assert "no room for stored activations" in (run / "report.html").read_text()


@pytest.mark.slow
def test_another_seed_gives_another_split(small_fit: Fit, tmp_path: Path) -> None:
    one = small_fit(tmp_path / "one", strategy="probe", seed=0).folder
    other = small_fit(tmp_path / "other", strategy="probe", seed=1).folder
    assert (one / "split.json").read_text() != (other / "split.json").read_text()
