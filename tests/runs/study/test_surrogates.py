"""A study of surrogate tasks on small real digits: equal budgets, what is judged, resumed, and its page."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from headstart import study
from headstart.backbones import load_random
from headstart.cli.main import app
from headstart.errors import OptionError, RunError
from headstart.report import draw
from headstart.runs.online import OnlineProbe
from headstart.runs.pretrained import PretrainedRun
from headstart.runs.study import few_labels, suited
from headstart.runs.study.few_labels import drawn, read_at
from headstart.runs.study.surrogate_study import SurrogateStudy

ASKED: dict[str, Any] = {
    "by": ["rotation", "egomotion"],
    "against": ["random/test_efficientnet"],
    "architecture": "test_resnet",
    "images": 800,
    "per_class": (3, 6),
    "repeats": 2,
    "size": 32,
}


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """Few steps: what is tested is not how well they train."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_labels, "EPOCHS", 2)
        patch.setattr(few_labels, "STEPS", 2)
        yield


@pytest.fixture(scope="module")
def done(_quick: None, tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> SurrogateStudy:
    """Return a finished study."""
    return study.surrogates(_digits, tmp_path_factory.mktemp("study") / "run", labels=_digits, **ASKED)


@pytest.mark.slow
def test_every_surrogate_has_the_same_budget(done: SurrogateStudy) -> None:
    learned = done.records.of("learned")
    assert [(one.strategy, one.seed) for one in learned] == [
        (name, seed) for seed in (0, 1) for name in ("rotation", "egomotion")
    ]
    for one in learned:
        assert one.cost["images"] == pytest.approx(800, rel=0.15)


@pytest.mark.slow
def test_every_network_is_judged_on_the_same_images(
    done: SurrogateStudy, _digits: Path, offline: Callable[..., OnlineProbe]
) -> None:
    judged = done.records.of("judged")
    names = ["random/test_resnet", "rotation", "egomotion", "random/test_efficientnet"]
    assert [one.backbone for one in judged] == 2 * names
    assert len({(one.data, one.metrics["n"]) for one in judged}) == 1
    assert judged[0].detail["labels"] == {"3": 15, "6": 30}
    probe = offline(_digits, seed=1)
    sets = drawn(probe, (3, 6), seed=1)
    assert set(sets[3]) < set(sets[6])
    right = read_at(probe, load_random("test_resnet", size=32, seed=1), sets)
    (record,) = (one for one in judged if one.backbone == "random/test_resnet" and one.seed == 1)
    assert record.detail["probe"]["6"] == {cut: float(one.mean()) for cut, one in right[6].items()}
    assert all(0 <= value <= 1 for one in judged for value in one.detail["finetune"].values())


@pytest.mark.slow
def test_poses_go_to_those_that_look_at_them(frames: Path, _digits: Path, tmp_path: Path) -> None:
    asked = ASKED | {"by": ["slow", "egomotion"], "against": [], "repeats": 1, "finetune": False}
    found = study.surrogates(frames / "images", tmp_path / "run", labels=_digits, poses=frames / "poses.csv", **asked)
    judged = [record.backbone for record in found.records.of("judged")]
    assert judged == ["random/test_resnet", "slow", "egomotion"]
    # Two axes vary, forward and round: the poses were read, and no motion was built.
    motion = PretrainedRun(found.folder / "pretrained" / "egomotion-0").records.get("data")
    assert motion is not None and "yaw" in str(motion.detail)
    with pytest.raises(OptionError, match="looks at poses"):
        study.surrogates(
            frames / "images",
            tmp_path / "none",
            labels=_digits,
            poses=frames / "poses.csv",
            **(asked | {"by": ["slow"]}),
        )


@pytest.mark.slow
def test_the_verdict_is_the_mean_over_repeats(done: SurrogateStudy) -> None:
    detail = done.records.get("verdict").detail
    for way, cut in (("probe", "all cuts"), ("finetune", None)):
        for k in ("3", "6"):
            values = [
                one.detail[way][k][cut] if cut else one.detail[way][k]
                for one in done.records.of("judged")
                if one.backbone == "rotation"
            ]
            assert detail["means"][way][k]["rotation"] == pytest.approx(np.mean(values))
    page = done.report.read_text()
    assert "With how many labels" in page and "From which cut" in page
    draw(done.folder)
    assert done.report.read_text() == page


@pytest.mark.slow
def test_an_interrupted_study_goes_on_and_ends_with_the_same_numbers(
    done: SurrogateStudy, _digits: Path, tmp_path: Path
) -> None:
    def stop(stage: str, total: int, of: int) -> None:
        if any(stage.startswith(one) for one in stops):
            stops.pop(0)
            raise KeyboardInterrupt

    # In the first training there is no plan yet, only a run in `pretrained/`.
    stops = ["rotation, seed 0: pretraining", "egomotion, seed 1: fine-tuning on 6"]
    with pytest.raises(KeyboardInterrupt):
        study.surrogates(_digits, tmp_path / "run", labels=_digits, progress=stop, **ASKED)

    with pytest.raises(KeyboardInterrupt):
        study.surrogates(_digits, tmp_path / "run", labels=_digits, progress=stop, **ASKED)
    resumed = study.surrogates(_digits, tmp_path / "run", labels=_digits, **ASKED)
    assert resumed.records.get("verdict").detail == done.records.get("verdict").detail
    with pytest.raises(RunError, match="repeats: 2 there, 3 now"):
        study.surrogates(_digits, tmp_path / "run", labels=_digits, **(ASKED | {"repeats": 3}))


@pytest.mark.slow
def test_the_command_says_it_in_one_document(done: SurrogateStudy, _digits: Path) -> None:
    words = ["study", "surrogates", _digits, "--labels", _digits, "--out", done.folder, "--size", 32, "--repeats", 2]
    words += ["--by", "rotation", "--by", "egomotion", "--against", "random/test_efficientnet", "--images", 800]
    words += ["--architecture", "test_resnet", "--per-class", "3,6"]
    told = CliRunner().invoke(app, [str(word) for word in [*words, "--json"]])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["verdict"]["sentence"] == done.sentence
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert done.sentence in told.output and "probed, labels a class" in told.output


def test_images_may_come_from_a_generator(_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone through once, though it is looked at first, and each surrogate reads its images."""
    monkeypatch.setattr(suited, "STILLS", ("rotation", "egomotion"))
    images = (np.asarray(Image.open(path)) for path in sorted(_digits.rglob("*.png")))
    asked = ASKED | {"by": (), "against": [], "images": 60, "per_class": (3,), "repeats": 1, "finetune": False}
    found = study.surrogates(images, tmp_path / "run", labels=_digits, **asked)
    assert [one.strategy for one in found.records.of("learned")] == ["rotation", "egomotion"]
    page = found.report.read_text()
    assert "The order of the images tells nothing" in page
    assert "call the same function of headstart with the same arrays" in page


@pytest.mark.slow
def test_a_study_goes_on_with_the_images_and_surrogates_that_it_began_with(
    _digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suited, "STILLS", ("rotation", "egomotion"))
    images = np.stack([np.asarray(Image.open(path)) for path in sorted(_digits.rglob("*.png"))])
    asked = ASKED | {"by": (), "against": [], "images": 60, "per_class": (3,), "repeats": 1, "finetune": False}

    def stop(stage: str, total: int, of: int) -> None:
        if stage.startswith("egomotion"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.surrogates(images, tmp_path / "run", labels=_digits, progress=stop, **asked)
    with pytest.raises(RunError, match=r"holds another run \(data: arrays"):
        study.surrogates(255 - images, tmp_path / "run", labels=_digits, **asked)
    # What this version would choose by itself is not asked again.
    monkeypatch.setattr(suited, "STILLS", ("rotation",))
    found = study.surrogates(images, tmp_path / "run", labels=_digits, **asked)
    assert [one.strategy for one in found.records.of("learned")] == ["rotation", "egomotion"]
    # Named surrogates are another question than the ones that it chose.
    with pytest.raises(RunError, match="methods"):
        study.surrogates(images, tmp_path / "run", labels=_digits, **(asked | {"by": ["rotation"]}))


def test_images_that_changed_between_two_surrogates_are_noticed(_digits: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    shutil.copytree(_digits, folder)
    asked = ASKED | {"against": [], "images": 60, "per_class": (3,), "repeats": 1, "finetune": False}
    first = min(folder.rglob("*.png"))

    def change(stage: str, total: int, of: int) -> None:
        if stage.startswith("egomotion"):
            first.unlink(missing_ok=True)

    with pytest.raises(RunError, match="images have changed") as told:
        study.surrogates(folder, tmp_path / "run", labels=_digits, progress=change, **asked)
    assert str(tmp_path / "run" / "pretrained" / "egomotion-0") in told.value.remedy
    shutil.copy(_digits / first.relative_to(folder), first)
    shutil.rmtree(tmp_path / "run" / "pretrained" / "egomotion-0")
    found = study.surrogates(folder, tmp_path / "run", labels=_digits, **asked)
    assert [one.strategy for one in found.records.of("learned")] == ["rotation", "egomotion"]


def test_how_frames_are_taken_is_the_same_for_all(
    frames: Path, _digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def stopped(*_: Any, **options: Any) -> None:
        asked.append(options)
        raise KeyboardInterrupt

    # The package's own name for the module is the function in it.
    monkeypatch.setattr(importlib.import_module("headstart.runs.study.surrogates"), "pretrain", stopped)
    for by in ("slow", "egomotion"):
        with pytest.raises(KeyboardInterrupt):
            options = ASKED | {"by": [by], "every": 2, "apart": 7}
            study.surrogates(frames / "images", tmp_path / by, labels=_digits, **options)
    assert [(one["by"], one["every"], one["apart"]) for one in asked] == [("slow", 2, 7), ("egomotion", 2, 7)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": ["nonsense"]}, "no surrogate task nonsense"),
        ({"repeats": 0}, "repeats are out of range"),
        ({"per_class": (1,)}, "labels of a class are too few"),
        ({"images": 0}, "teach nothing"),
        ({"by": (), "apart": 1}, "--apart 2 or more"),
        ({"per_class": (500,)}, "No class has 500 images"),
    ],
)
def test_questions_that_cannot_be_asked(options: dict[str, Any], said: str, _digits: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        study.surrogates(_digits, tmp_path / "run", labels=_digits, **(ASKED | options))
