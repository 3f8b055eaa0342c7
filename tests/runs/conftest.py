"""Small, quick runs whose plan does not depend on the machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headstart.advice import Calibration, plan
from headstart.runs import fit as fitting
from headstart.runs.run import Run

BACKBONE = "random/test_resnet"
Fit = Callable[..., Run]


def constant_costs(names: Any, rows: Any, **_: object) -> dict[str, Calibration]:
    """Stand in for measuring: a plan that does not depend on the machine."""
    steps = {row.name: 1e-4 for row in rows if row.trains}
    return {name: Calibration(1e-5, steps) for name in names}


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Few epochs, at constant costs."""
    patch.setattr(fitting, "calibrate", constant_costs)
    patch.setattr(plan, "MOST_EPOCHS", 4)
    patch.setattr(plan, "MOST_SCRATCH_EPOCHS", 5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs quick, and two runs of one plan."""
    make_quick(monkeypatch)


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
    """Return a run that nothing interrupted, judged on one validation part to be quick."""
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        patch.setattr(plan, "FEWEST_VALIDATION", 10)
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("unbroken") / "run"
        fitting.fit(_digits, out, backbones=[BACKBONE], size=32, budget=600)
    return out
