"""An earlier run as the source of the next task, and what the network still knows of that task afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.runs.conftest import BACKBONE, Fit
from torch import nn

from headstart import adapt
from headstart.backbones import load
from headstart.bundle import Predictor
from headstart.bundle.learned import LEARNED
from headstart.errors import BundleError
from headstart.objectives import L2SP
from headstart.report import wording
from headstart.runs import deciding
from headstart.runs.descent import race
from headstart.runs.run import Run
from headstart.strategies import table


def hand_back_all(patch: pytest.MonkeyPatch) -> None:
    real = deciding.decide
    patch.setattr(deciding, "decide", lambda *args, **options: replace(real(*args, **options), chosen="all"))


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand back what was fine-tuned, whatever did better."""
    hand_back_all(monkeypatch)


def test_a_run_competes_with_what_it_started_from(finished: Path) -> None:
    assert race([finished], ()) == [f"run:{finished}", BACKBONE]
    assert race([finished, finished], ["packaged/*"]) == [f"run:{finished}", "packaged/*"]
    with pytest.raises(BundleError, match="no folder"):
        race([finished / "absent"], ())


@pytest.mark.slow
def test_of_two_earlier_runs_the_one_that_helps_is_trained_towards_its_own_weights(
    small_fit: Fit, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[dict[str, torch.Tensor]] = []

    class Noting(L2SP):
        def __init__(self, source: nn.Module) -> None:
            super().__init__(source)
            starts.append(self.source)

    monkeypatch.setattr(table, "L2SP", Noting)
    blind, good = (rescaled(finished, tmp_path / name, by) for name, by in (("blind", 0.0), ("good", 1.25)))
    # A budget that leaves no time for cards, and another network than the one that both runs started from.
    run = small_fit(tmp_path / "run", backbones=[f"run:{good}"], runs=[blind, good], strategy="l2sp", budget=60)
    found = {record.backbone: record.metrics["value"] for record in run.records.of("probed")}
    assert list(found) == [f"run:{blind}", f"run:{good}"] and found[f"run:{blind}"] < 0.4 < found[f"run:{good}"]
    candidate = run.records.get("candidate/l2sp")
    assert candidate is not None and candidate.backbone == f"run:{good}"
    weights = {f"backbone.network.{n}": p for n, p in load(f"run:{good}", size=32).network.named_parameters()}
    for start in starts:
        assert start.keys() == weights.keys() and all(torch.equal(start[name], weights[name]) for name in weights)
    before = dict(load(BACKBONE, size=32).network.named_parameters())
    assert starts and any(not torch.equal(p, before[n.removeprefix("backbone.network.")]) for n, p in weights.items())
    assert [record.detail["run"] for record in run.records if record.what == "source"] == [str(blind), str(good)]


def rescaled(run: Path, to: Path, by: float) -> Path:
    """Return a copy of a run, the weights of whose first convolution are so many times as large."""
    shutil.copytree(run, to)
    state = load_file(to / "model.safetensors")
    first = next(name for name in state if name.startswith("backbone.network.") and state[name].dim() == 4)
    save_file(state | {first: by * state[first]}, to / "model.safetensors")
    return to


@pytest.mark.slow
def test_a_frozen_network_retains_everything_and_nothing_is_measured(
    small_fit: Fit, finished: Path, tmp_path: Path
) -> None:
    run = small_fit(tmp_path / "run", backbones=[], runs=[finished], strategy="probe")
    names = [r.backbone for r in run.records.of("probed")]
    assert names == [f"run:{finished}", BACKBONE]
    assert run.records.get("retained") is None


@pytest.mark.slow
def test_what_is_retained_is_the_old_head_on_the_new_network(
    small_fit: Fit, tuned: None, finished: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (120, 8, 8), dtype=np.uint8)
    labels = np.arange(120) % 2
    images[labels == 1] += rng.integers(0, 150, (60, 8, 8), dtype=np.uint8)
    options = {"data": (images, labels), "backbones": [f"run:{finished}"], "strategy": "all"}
    run = small_fit(tmp_path / "run", **options)
    record = run.records.get("retained")
    assert record is not None
    test = json.loads((finished / "split.json").read_text())["test"]
    earlier = Run(finished)
    assert record.metrics["n"] == len(test) == earlier.metrics["n"]
    assert record.detail["before"] == pytest.approx(earlier.metrics["accuracy"], abs=1.01 / len(test))
    difference = record.detail["difference"]
    assert record.metrics["value"] - record.detail["before"] == pytest.approx(difference["value"])
    assert wording.retained(record.metrics, record.detail) in " ".join((run.folder / "report.html").read_text().split())
    # Resuming measures nothing again.
    again = small_fit(tmp_path / "run", **options)
    assert len([r for r in again.records if r.what == "retained"]) == 1
    assert Predictor(run.folder).classes == ("0", "1")


@pytest.mark.slow
def test_held_images_that_a_network_has_learned_from_are_counted(small_fit: Fit, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hand_back_all(patch)
        earlier = small_fit(tmp_path / "earlier", strategy="all")
    name = f"run:{earlier.folder}"
    split = {
        seed: _split(small_fit(tmp_path / f"{seed}", backbones=[name], strategy="probe", seed=seed)) for seed in (0, 1)
    }
    before = json.loads((earlier.folder / "split.json").read_text())
    for seed, (parts, notes, reasons) in split.items():
        counts = {part: len(set(parts[part]) - set(before["test"])) for part in ("val", "test")}
        assert counts["val"] and (counts["test"] == 0) is (seed == 0)
        told = f"{counts['val']} of the {len(parts['val'])} validation images"
        told += f" and {counts['test']} of the {len(parts['test'])} test images" if counts["test"] else ", or copies"
        assert any(note.startswith(f"{name} has learned from {told}") for note in notes)
        (said,) = [reason for reason in reasons if "learned from" in reason]
        assert f"{counts['val']} of the {len(parts['val'])} images that candidates are judged on" in said
    # A head on a frozen network changes no weight of it: what it learned from is not learned from by the network.
    _, notes, _ = _split(small_fit(tmp_path / "on", backbones=[BACKBONE], strategy="probe"))
    assert not any("learned from" in note for note in notes)
    (earlier.folder / LEARNED).unlink()
    _, notes, _ = _split(small_fit(tmp_path / "unsaid", backbones=[name], strategy="probe"))
    assert any("does not say which images" in note for note in notes)


def _split(run: Run) -> tuple[dict[str, list[str]], list[str], list[str]]:
    data = run.records.get("data")
    assert data is not None
    return json.loads((run.folder / "split.json").read_text()), data.detail["notes"], list(run.verdict.reasons)


@pytest.mark.slow
def test_where_the_earlier_images_are_gone_it_is_said(
    small_fit: Fit, tuned: None, finished: Path, tmp_path: Path
) -> None:
    records = finished / "records.jsonl"
    data = Run(finished).records.get("plan").detail["options"]["data"]  # type: ignore[union-attr]
    records.write_text(records.read_text().replace(json.dumps(data)[1:-1], "/no/such/folder"))
    run = small_fit(tmp_path / "run", backbones=[f"run:{finished}"], strategy="all")
    record = run.records.get("retained")
    assert record is not None and record.metrics == {}
    assert record.detail["note"].startswith(f"What is retained of {finished} is unknown: ")


@pytest.mark.slow
def test_an_adapted_run_has_no_test_part_to_retain(small_fit: Fit, tuned: None, domains: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "adapted"
    adapt(domains / "source", domains / "flat", earlier, backbone=BACKBONE, size=32, methods=("coral",))
    run = small_fit(tmp_path / "run", backbones=[f"run:{earlier}"], strategy="all")
    record = run.records.get("retained")
    assert record is not None and "kept no test part" in record.detail["note"]
