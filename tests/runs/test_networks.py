"""Methods that train, in a whole adaptation: each named, judged like the others, trained once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart import adapt
from headstart.backbones import Transferred, load
from headstart.bundle.learned import learned_by
from headstart.data import survey
from headstart.errors import BackboneError, OptionError
from headstart.evidence.distance import discrepancy
from headstart.evidence.label_free import VALIDATORS
from headstart.problem import read_labelled
from headstart.records import Journal, Record
from headstart.records.arrays import read_arrays
from headstart.runs import choosing, networks
from headstart.runs.adapted import AdaptedRun
from headstart.runs.two_domains import SourceImages
from headstart.strategies import DEEP_ADAPTATIONS

TRAIN = networks.adapt_network


def run(domains: Path, out: Path, *methods: str, to: str = "target", **options: Any) -> AdaptedRun:
    """Return a quick run of methods that train."""
    asked = {"backbone": "random/test_resnet", "size": 32, "methods": methods, "epochs": 1} | options
    return adapt(domains / "source", domains / to, out, **asked)


def told(found: AdaptedRun) -> dict[str, Any]:
    """Return what must not depend on the clock or on an interruption."""
    return {
        r.key: [r.recipe, r.metrics, {k: v for k, v in r.detail.get("training", {}).items() if k != "seconds"}]
        for r in found.records.of("method")
    }


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the rows that are trained, in order."""
    names: list[str] = []

    def noting(row: Any, *args: Any, **options: Any) -> Any:
        names.append(row.name)
        return TRAIN(row, *args, **options)

    monkeypatch.setattr(networks, "adapt_network", noting)
    return names


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, domains: Path) -> AdaptedRun:
    """Return a run of all that train."""
    return run(domains, tmp_path_factory.mktemp("every") / "run", "trained", oracle=True, labels=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, domains: Path) -> AdaptedRun:
    """Return a run of one row that nothing interrupted."""
    return run(domains, tmp_path_factory.mktemp("whole") / "run", "dan", to="flat", epochs=2)


@pytest.mark.parametrize("name", DEEP_ADAPTATIONS)
def test_each_is_judged_like_the_others(every: AdaptedRun, name: str) -> None:
    record = every.records.get(f"method/{name}")
    assert record is not None and record.cut == "top" and record.detail["few"]["n"] == 5
    assert all(
        np.isfinite(record.metrics[one]) for one in (*VALIDATORS, "held", "kept", "distance", "effective", "overlap")
    )
    assert record.detail["training"]["begins"] == DEEP_ADAPTATIONS[name].begins
    assert (record.detail["training"]["curve"] is None) is (DEEP_ADAPTATIONS[name].recipe is None)
    assert record.recipe.get("epochs", 1) == 1 and not record.reads_target_labels
    assert 0 <= every.oracle[name]["value"] <= 1
    assert (every.folder / "work" / f"network-{name}.safetensors").exists()


def test_distances_after_training_are_those_of_the_kept_networks(
    every: AdaptedRun, domains: Path, tmp_path: Path
) -> None:
    parts, start = json.loads((every.folder / "split.json").read_text()), every.records.get("start")
    assert start is not None
    before = start.detail["distances"]

    def pooled(side: str, part: str, network: str) -> dict[str, np.ndarray]:
        """Return features at every cut, by a network that was kept, of images that lie in the folder."""
        domain, arrays = (
            read_labelled(domains / side).x,
            read_arrays(every.folder / f"work/network-{network}.safetensors"),
        )
        rows = [i for i in range(len(domain)) if domain.label_of(i) in parts[side][part]]
        pixels = survey(domain, 32, cache=tmp_path, progress=lambda *_: None).pixels(np.array(rows))
        backbone = load("random/test_resnet", size=32)
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 5))
        assert arrays is not None
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays[0].items()})
        with torch.inference_mode():
            found = model.eval().backbone(backbone.preprocessing.tensor(pixels))
        return dict(zip(backbone.cuts, (z.numpy() for z in found), strict=True))

    for record in every.records.of("method"):
        assert record.detail.get("distances", {}).keys() == (before.keys() if "training" in record.detail else set())
        assert all(np.isfinite(value) for value in record.detail.get("distances", {}).values())
    # Where statistics alone are the target's, the source passes through the network that it began with.
    for name, own in {"dan": "dan", "adabn": "finetuned_source"}.items():
        source, target = pooled("source", "train", own), pooled("target", "adapted", name)
        after = every.records.get(f"method/{name}").detail["distances"]  # type: ignore[union-attr]
        assert after == pytest.approx({cut: discrepancy(source[cut], target[cut]) for cut in before}, abs=1e-3)
        assert after["top"] != pytest.approx(before["top"], abs=1e-3)


def test_all_were_told_apart_and_no_checkpoint_is_left(every: AdaptedRun) -> None:
    assert [r.strategy for r in every.records.of("method")] == ["source_only", "target_only", *DEEP_ADAPTATIONS]
    assert not list((every.folder / "work").glob("training-*"))
    judged = {r.strategy: choosing._predicted(_context(every), r.strategy) for r in every.records.of("method")}
    # Statistics are the target's for its images alone: the source's own way is the model that it began with.
    assert np.array_equal(judged["adabn"]["held"], judged["finetuned_source"]["held"])
    assert not np.array_equal(judged["adabn"]["kept"], judged["adabn"]["held"])
    page = (every.folder / "report.html").read_text()
    assert "or, where “trained” stands" in page and "--method trained" in page and "--epochs 1" in page


def _context(found: AdaptedRun) -> Any:
    return type("Folder", (), {"folder": found.folder})


def test_a_row_brings_what_it_begins_with_once(domains: Path, tmp_path: Path, trained: list[str]) -> None:
    found = run(domains, tmp_path / "run", "dan", "mcc", to="flat")
    assert trained == ["finetuned_source", "dan", "mcc"]
    assert list(told(found)) == [f"method/{name}" for name in ("source_only", *trained)]
    assert found.verdict.chosen != "mcc", "it lowers what the validators measure"


@pytest.mark.parametrize("where", ["between baseline and row", "within the row"])
def test_a_killed_run_goes_on_with_the_same_bits(
    whole: AdaptedRun,
    domains: Path,
    tmp_path: Path,
    trained: list[str],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    write = Journal.append

    def killed(self: Journal, record: Record) -> None:
        write(self, record)
        if record.key == "method/finetuned_source":
            raise KeyboardInterrupt

    def progress(stage: str, done: int, total: int) -> None:
        if stage == DEEP_ADAPTATIONS["dan"].title and done > total / 2 > 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if where.startswith("between"):
            patch.setattr(Journal, "append", killed)
        run(domains, tmp_path / "run", "dan", to="flat", epochs=2, progress=progress)
    again = run(domains, tmp_path / "run", "dan", to="flat", epochs=2)
    assert trained == ["finetuned_source", "dan", "dan"][: 2 if where.startswith("between") else 3]
    assert told(again) == told(whole)
    assert (again.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["dan", "adabn", "shot"])
def test_what_is_chosen_predicts_as_it_was_measured(
    domains: Path, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(choosing, "choose", lambda standings: name)
    found = run(domains, tmp_path / "run", name, to="flat")
    assert trained == ["finetuned_source", name], "the chosen network is not trained again"
    assert found.verdict.chosen == name and found.records.get("final").metrics["agreement"] == 1.0  # type: ignore[union-attr]
    parts = json.loads((found.folder / "split.json").read_text())
    paths = [domains / "source" / path for path in parts["source"]["train"]]
    paths += [domains / "flat" / path for path in parts["target"]["adapted"]]
    assert len(learned_by(f"run:{found.folder}") or ()) == len({path.read_bytes() for path in paths})
    images = sorted((domains / "flat").iterdir())[:5]
    assert set(found.predictor.predict(images)) <= set("01234")
    said = {"adabn": "with the target's batch-norm statistics"}.get(name, "every layer trained")
    assert said in (found.folder / "README.md").read_text()


def test_shot_sees_no_image_of_the_source(domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make: Callable[..., SourceImages] = SourceImages.of
    given: dict[str, SourceImages | None] = {}
    alone: list[bool] = []

    def read_only_before_shot(prepared: Any, indices: np.ndarray) -> SourceImages:
        images = make(prepared, indices)

        def read(rows: np.ndarray) -> np.ndarray:
            assert not alone, "an image of the source was read"
            return images.read(rows)

        return dataclasses.replace(images, read=read)

    def train(row: Any, start: Any, *, source: SourceImages | None, **more: Any) -> Any:
        given[row.name] = source
        if row.name == "shot":
            alone.append(True)
        return TRAIN(row, start, source=source, **more)

    monkeypatch.setattr(networks.SourceImages, "of", read_only_before_shot)
    monkeypatch.setattr(networks, "adapt_network", train)
    run(domains, tmp_path / "run", "shot", to="flat")
    assert alone and given["shot"] is None and given["finetuned_source"] is not None


def test_what_a_user_gets_wrong_is_said_before_anything_is_computed(
    domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="no method named dam") as refused:
        run(domains, tmp_path / "run", "dam")
    assert "Did you mean" in refused.value.remedy
    with pytest.raises(OptionError, match="0 epochs are out of range"):
        run(domains, tmp_path / "run", "dan", epochs=0)
    monkeypatch.setattr(networks, "has_batch_norms", lambda network: False)
    with pytest.raises(BackboneError, match="has no batch norms, which adabn adapts"):
        run(domains, tmp_path / "run", "adabn")
    assert not (tmp_path / "run").exists()


def test_of_the_family_a_row_that_cannot_be_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.strategies import chosen_adaptations

    monkeypatch.setattr(networks, "has_batch_norms", lambda network: False)
    rows = chosen_adaptations(["trained"], labels=0)
    left, notes = networks.trainable(rows, "random/test_resnet", named=["trained"], size=32)
    assert {row.name for row in rows} - {row.name for row in left} == {"adabn"} and "no batch norms" in notes[0]
