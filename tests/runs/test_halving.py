"""Many networks: halved on few images, by records that a resumed run replays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from headstart import features
from headstart.advice import halving, plan
from headstart.backbones.engine import EagerEngine
from headstart.backbones.engines import Opened
from headstart.records import Journal, Record
from headstart.runs import probing
from headstart.runs.halving import _fate
from headstart.runs.run import Run
from headstart.strategies.table import FAMILIES

Fit = Callable[..., Run]

GOOD = "packaged/efficientnet_lite0"
TINY = ("byobnet", "convnext", "efficientnet", "resnet", "vit")
NAMES = [*(f"random/test_{name}" for name in TINY), GOOD]
TIMES = ("seconds", "extraction_seconds", "images")


@pytest.fixture
def many(small_fit: Fit, folded: None, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Six networks, of which two are left after rungs of 24 and 48 of 96 images; nothing is compiled, for speed."""

    def eager(backbone: Any, sample: np.ndarray, *, device: torch.device, **_: Any) -> Opened:
        return Opened(EagerEngine(backbone, device))

    monkeypatch.setitem(features.extract.__globals__, "open_engine", eager)
    monkeypatch.setitem(FAMILIES, "probe", ("probe",))
    for module in (halving, plan):
        monkeypatch.setattr(module, "FINALISTS", 2)
    monkeypatch.setattr(halving, "FEWEST_IMAGES", 20)
    monkeypatch.setattr(halving, "FEWEST_A_CLASS", 1)

    def run(out: Path, **options: Any) -> Run:
        return small_fit(out, **({"backbones": NAMES, "strategy": "probe"} | options))

    return run


def told(run: Path) -> list[dict[str, Any]]:
    """Return what the records say, without the time that it took."""
    records = [r for r in Journal(run / "records.jsonl") if r.what not in ("plan", "spent", "bundle")]
    costs = [{name: value for name, value in r.cost.items() if name not in TIMES} for r in records]
    return [
        {"key": r.key, "metrics": r.metrics, "detail": r.detail, "cost": c} for r, c in zip(records, costs, strict=True)
    ]


@pytest.mark.slow
def test_the_good_network_is_left_and_a_dropped_one_is_never_chosen(
    many: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[set[int]] = []

    def watched(backbone: Any, survey: Any, indices: np.ndarray, **more: Any) -> features.Features:
        looked_at.append(set(indices.tolist()))
        return features.extract(backbone, survey, indices, **more)

    monkeypatch.setattr(probing, "extract", watched)
    seen: list[Record] = []
    run = many(tmp_path / "run", on_record=seen.append)
    rungs = run.records.of("rung")
    planned, spent = run.records.get("plan"), run.records.get("spent")
    assert planned is not None and spent is not None
    assert planned.detail["rungs"] == [
        {"networks": 6, "images": 24, "left": 3},
        {"networks": 3, "images": 48, "left": 2},
    ]
    left = NAMES
    for record, rung in zip(rungs, planned.detail["rungs"], strict=True):
        networks = record.detail["networks"]
        assert {one["backbone"] for one in networks} == set(left)
        left = [one["backbone"] for one in networks if one["fate"] == "left"]
        assert len(left) == rung["left"] and record.metrics["n"] == rung["images"]
        values = [one["metrics"]["value"] for one in networks]
        assert values == sorted(values, reverse=True) and networks[0]["to_best"] is None
        for one in networks[1:]:
            assert one["to_best"]["low"] <= one["to_best"]["difference"] <= one["to_best"]["high"]
            assert one["to_best"]["difference"] == pytest.approx(one["metrics"]["value"] - values[0])
            shown = one["to_best"]["high"] < -planned.detail["options"]["margin"]
            assert one["fate"] == "left" or one["fate"] == ("worse" if shown else "lower")
    assert GOOD in left
    probed = [record.backbone for record in run.records.of("probed")]
    assert probed == [name for name in NAMES if name in left]
    assert {r.backbone for r in run.records if r.what in ("probe", "candidate", "final")} <= set(left)
    assert all(stage["spent_s"] > 0 for stage in spent.detail["stages"])
    assert [stage["key"] for stage in spent.detail["stages"]][1:4] == ["rung/0", "rung/1", "finalists"]
    assert [record.key for record in seen if record.what == "rung"] == ["rung/0", "rung/1"]
    test = _indices(run.folder, "test")
    first, second = looked_at[0], looked_at[len(NAMES)]
    assert len(first) == 24 and len(second) == 48 and first < second, "a later rung's images contain an earlier one's"
    assert not second & test
    page = run.report.read_text()
    assert "Which networks were left" in page and "6 networks on 24 images" in page


def _indices(folder: Path, part: str) -> set[int]:
    """Positions of the images of a part: they were read in the order of their paths."""
    split = json.loads((folder / "split.json").read_text())
    paths = sorted(path for name in ("train", "val", "test", "aside") for path in split[name])
    return {paths.index(path) for path in split[part]}


@pytest.mark.slow
def test_killed_between_and_within_rungs_it_ends_with_the_same_records(many: Fit, tmp_path: Path) -> None:
    whole = told(many(tmp_path / "whole").folder)
    out = tmp_path / "broken"

    def stopping(key: str, title: str) -> Callable[[str, int, int], None]:
        def progress(stage: str, *_: int) -> None:
            if stage == title and Journal(out / "records.jsonl").get(key) is not None:
                raise KeyboardInterrupt

        return progress

    # Within the first rung, after it, and after the last one.
    for key, title in (("plan", f"cuts of {NAMES[3]}"), ("rung/0", f"cuts of {GOOD}"), ("rung/1", f"heads on {GOOD}")):
        with pytest.raises(KeyboardInterrupt):
            many(out, progress=stopping(key, title))
    assert told(many(out).folder) == whole


@pytest.mark.slow
def test_a_plan_from_before_there_were_rungs_goes_on_without(many: Fit, tmp_path: Path) -> None:
    out = tmp_path / "run"

    def stop(stage: str, *_: int) -> None:
        if stage.startswith("cuts of"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        many(out, progress=stop, backbones=NAMES[2:5])
    lines = (out / "records.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    del first["detail"]["rungs"]
    (out / "records.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    run = many(out, backbones=NAMES[2:5])
    assert len(run.records.of("probed")) == 3 and not run.records.of("rung")


def test_the_one_whose_place_is_given_away_is_named() -> None:
    behind = [None, -0.01, -0.02, -0.2]
    networks = [
        {"backbone": name, "to_best": d and {"difference": d, "low": d - 0.1, "high": d + 0.1}}
        for name, d in zip("abcd", behind, strict=True)
    ]
    context = SimpleNamespace(options=SimpleNamespace(margin=0.005))
    fates = [_fate(context, networks, at, left=["a", "d"]) for at in range(4)]  # type: ignore[arg-type]
    assert fates == ["left", "yielded", "lower", "left"]
    assert _fate(context, networks, 3, left=["a", "b"]) == "worse"  # type: ignore[arg-type]
