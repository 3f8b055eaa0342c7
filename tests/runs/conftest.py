"""Small, quick runs whose plan does not depend on the machine."""

from __future__ import annotations

import copy
import gc
import importlib
import math
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart import TransferClassifier, backbones, features
from headstart.advice import Above, Calibration, plan, shares
from headstart.advice.plan import FEWEST_VALIDATION
from headstart.backbones import graphs
from headstart.problem import read_labelled
from headstart.runs import finetuning, planning, probing
from headstart.runs import fit as fitting
from headstart.runs.online import OnlineProbe
from headstart.runs.options import Reading
from headstart.runs.preparing import read
from headstart.runs.run import Run
from headstart.shallow.probing import compete
from headstart.strategies.table import FAMILIES

BACKBONE = "random/test_resnet"
Make = Callable[..., TransferClassifier]
Fit = Callable[..., Run]


def constant_costs(names: Any, rows: Any, **_: object) -> dict[str, Calibration]:
    """Stand in for measuring: a plan that does not depend on the machine."""
    steps = {row.name: 1e-4 for row in rows if row.trains}
    above = {"last_block": Above(1e-5, 1e-5, 1000)}
    return {name: Calibration(1e-5, steps, 1e-6, above) for name in names}


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Few epochs, at constant costs, one validation part, features in a precision that no clock chooses."""
    patch.setattr(planning, "calibrate", constant_costs)
    patch.setattr(graphs, "SLOWER", math.inf)
    patch.setattr(shares, "MOST_EPOCHS", 4)
    patch.setattr(shares, "MOST_SCRATCH_EPOCHS", 5)
    patch.setattr(plan, "FEWEST_VALIDATION", 10)


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """Runs collect garbage between their stages; what was imported before need not be looked through each time."""
    for late in ("openvino", "timm"):
        importlib.import_module(late)
    gc.collect()
    gc.freeze()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs quick, and two runs of one plan."""
    make_quick(monkeypatch)


@pytest.fixture
def folded(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge out of fold, as few validation images are outside of these tests."""
    monkeypatch.setattr(plan, "FEWEST_VALIDATION", FEWEST_VALIDATION)


@pytest.fixture
def small_fit(quick: None, digits_folder: Path) -> Fit:
    """`headstart.fit` on 120 real digits with a tiny network of random weights."""

    def run(out: Path, **options: Any) -> Run:
        asked = {"backbones": [BACKBONE], "size": 32, "budget": 600} | options
        return fitting.fit(asked.pop("data", digits_folder), out, **asked)

    return run


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        out = tmp_path_factory.mktemp("finished") / "run"
        fitting.fit(_digits, out, backbones=[BACKBONE], size=32, budget=600)
    return out


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run that the test may spoil."""
    return Path(shutil.copytree(_finished, tmp_path / "finished"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    """Return a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("unbroken") / "run"
        fitting.fit(_digits, out, backbones=[BACKBONE], size=32, budget=600)
    return out


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a maker of quick estimators: one network, made once; no measuring, no control, one head, no page."""

    @cache
    def load(name: str, *, size: int) -> backbones.Backbone:
        return backbones.load(name, size=size)

    @cache
    def opened(fingerprint: str, size: int) -> list[Any]:
        return []

    real = features.extract.__globals__["open_engine"]

    def open_engine(backbone: backbones.Backbone, sample: np.ndarray, **more: Any) -> Any:
        kept = opened(backbone.fingerprint("top"), sample.shape[1])
        if not kept:
            kept.append(real(backbone, sample, **more))
        return kept[0]

    monkeypatch.setattr(planning, "calibrate", constant_costs)
    for module in (fitting, finetuning):
        monkeypatch.setattr(module, "load", lambda name, *, size: copy.deepcopy(load(name, size=size)))
    monkeypatch.setitem(features.extract.__globals__, "open_engine", open_engine)
    monkeypatch.setitem(FAMILIES, "probe", ("probe",))
    monkeypatch.setattr(plan, "FEWEST_VALIDATION", 0)
    monkeypatch.setattr(probing, "compete", lambda *told, **more: compete(*told, **more | {"heads": ("ridge",)}))
    monkeypatch.setattr(fitting, "draw", lambda _: None)

    def made(**options: Any) -> TransferClassifier:
        return TransferClassifier(**{"backbone": "random/test_resnet", "strategy": "probe", "size": 32} | options)

    return made


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    """Return ``source``, a nested ``target`` of pale negatives of other digits, and the same ``flat``."""
    root = tmp_path_factory.mktemp("domains")
    for folder in sorted(_digits.iterdir()):
        for number, path in enumerate(sorted(folder.iterdir())):
            pixels = np.array(Image.open(path))
            places = [root / "source" / folder.name] if number < 14 else [root / "target" / folder.name, root / "flat"]
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
                shown = pixels if number < 14 else (255 - 0.6 * pixels).astype("uint8")
                Image.fromarray(shown).save(place / path.name)
    return root


@pytest.fixture
def offline(tmp_path: Path) -> Callable[..., OnlineProbe]:
    """Return a maker of the probe that a network is watched with, (labelled folder, seed) → probe."""

    def make(data: Path, *, seed: int = 0) -> OnlineProbe:
        asked = Reading(data="", backbones=(), seed=seed, size=32, split=(0.6, 0.2, 0.2), device="cpu")
        return OnlineProbe.of(read(read_labelled(data), asked, cache=tmp_path / "cache", progress=lambda *_: None))

    return make


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two sequences of 60 frames, in which a window slides over noise, and its place beside them."""
    root, rng = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    lines = ["frame,x,yaw"]
    for name in ("walk", "back"):
        (root / "images" / name).mkdir(parents=True)
        scene, place = rng.integers(0, 255, (32, 400, 3), dtype=np.uint8), 0
        for number in range(60):
            Image.fromarray(scene[:, place : place + 32]).save(root / "images" / name / f"{number}.png")
            lines.append(f"{name}/{number}.png,{place},{3 * number % 360}")
            place += int(rng.integers(0, 6))
    (root / "poses.csv").write_text("\n".join(lines) + "\n")
    return root
