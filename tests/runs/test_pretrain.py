"""Pretraining on small real digits and frames: what is learned, what is handed on, and what an interruption leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.numpy import load_file

from headstart import fit, pretrain
from headstart.backbones import load, load_random
from headstart.bundle import Predictor
from headstart.bundle.learned import learned_by
from headstart.errors import BundleError, DataError, OptionError, RunError
from headstart.problem import Motions
from headstart.records import Journal
from headstart.report import draw
from headstart.runs import surrogates, watching
from headstart.runs.online import OnlineProbe
from headstart.runs.pretrained import PretrainedRun
from headstart.strategies import SURROGATES

ARCHITECTURE = "test_resnet"
QUICK: dict[str, Any] = {"architecture": ARCHITECTURE, "size": 32, "epochs": 3}


def run(data: Any, out: Path, by: str = "rotation", **options: Any) -> PretrainedRun:
    return pretrain(data, out, by=by, **(QUICK | options))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> PretrainedRun:
    """Return a finished pretraining that was watched on labelled digits."""
    return run(_digits, tmp_path_factory.mktemp("pretrained") / "run", probe=_digits)


def test_a_backbone_comes_out_that_others_take(done: PretrainedRun, digits_folder: Path, tmp_path: Path) -> None:
    fresh = load_random(ARCHITECTURE, size=32, seed=0)
    for name in (done.backbone, f"file:{done.folder}"):
        made = load(name, size=32)
        assert made.fingerprint("top") != fresh.fingerprint("top")
        assert made.cuts == tuple(cut for cut in fresh.cuts if cut != "logits")
    found = fit(digits_folder, tmp_path / "fit", backbones=[done.backbone], size=32, strategy="probe", budget="60s")
    assert found.records.get("final").backbone == done.backbone
    assert json.loads((done.folder / "config.json").read_text())["method"] == "rotation"


def test_the_online_probe_is_the_offline_one(
    done: PretrainedRun, digits_folder: Path, offline: Callable[..., OnlineProbe]
) -> None:
    """What was told of the last epoch is what a probe of the written weights gives."""
    online = offline(digits_folder)
    last = max((r for r in done.records.of("epoch") if "probe" in r.metrics), key=lambda r: r.metrics["epoch"])
    assert last.metrics["epoch"] == 3
    offline = online.value(online.named(online.features(load(done.backbone, size=32)))["top"]).value
    assert offline == last.metrics["probe"]
    assert done.records.get("cuts").detail["cuts"]["top"]["after"]["value"] == offline
    fresh = load_random(ARCHITECTURE, size=32, seed=0)
    before = online.value(online.named(online.features(fresh))["top"]).value
    assert done.records.get("cuts").detail["cuts"]["top"]["before"]["value"] == before


def test_what_is_watched_is_not_learned_from(done: PretrainedRun) -> None:
    data = done.records.get("data")
    assert data.metrics["used"] < data.metrics["images"]
    assert any("are left out, since the network is watched on them" in note for note in data.detail["notes"])
    assert data.metrics["images"] - data.metrics["used"] == done.records.get("cuts").metrics["n"]
    assert len(learned_by(done.backbone) or ()) == data.metrics["used"]


@pytest.mark.slow
@pytest.mark.parametrize("by", [name for name, row in SURROGATES.items() if row.needs in ("images", "labels")])
def test_every_surrogate_of_single_images(by: str, _digits: Path, tmp_path: Path) -> None:
    if SURROGATES[by].extra:
        pytest.importorskip("lightly")
    check(run(_digits, tmp_path / "run", by))


@pytest.mark.slow
@pytest.mark.parametrize("by", [name for name, row in SURROGATES.items() if row.needs in ("frames", "motion")])
def test_every_surrogate_of_frames(by: str, frames: Path, _digits: Path, tmp_path: Path) -> None:
    motion = SURROGATES[by].needs == "motion"
    found = run(frames / "images", tmp_path / "run", by, poses=frames / "poses.csv" if motion else None)
    check(found)
    data = found.records.get("data").detail
    assert data["sequences"] == ["back", "walk"]
    # Forward and sideways differ with the yaw, which itself is steady: one bin would say nothing.
    assert data["sets"].get("axes", ["forward", "sideways"]) == ["forward", "sideways"]
    if motion:
        check(run(_digits, tmp_path / "still", by))


def check(found: PretrainedRun) -> None:
    """It learned something, says what, and its page can be drawn anew."""
    epochs = [record.metrics for record in found.records.of("epoch")]
    assert [one["epoch"] for one in epochs] == [0, 1, 2, 3]
    assert all(np.isfinite(one["loss"]) for one in epochs)
    assert found.verdict.word in ("unknown", "collapsed")
    shown = found.records.get("shown").detail["sets"]
    assert all((found.folder / one["picture"]).exists() and one["answer"] for one in shown)
    page = found.report.read_text()
    assert found.verdict.sentence.split(".")[0].replace("'", "&#39;") in page
    draw(found.folder)
    assert found.report.read_text() == page
    assert "# Model card" in (found.folder / "README.md").read_text()
    fresh, made = (
        one.network.state_dict() for one in (load_random(ARCHITECTURE, size=32, seed=0), load(found.backbone, size=32))
    )
    assert any(not torch.equal(fresh[name], made[name]) for name in made)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "options", "epochs", "epoch"),
    [
        ("rotation", {}, 4, 1),
        ("rotation", {}, 4, 2),
        ("exemplar", {"classes": 60, "clusters": 20}, 4, 1),
        ("exemplar", {"classes": 60, "clusters": 20}, 4, 2),
        ("slow", {}, 2, 1),
        ("egomotion", {"poses": "poses.csv"}, 2, 1),
        ("simclr", {}, 2, 1),
    ],
)
def test_an_interrupted_pretraining_ends_with_the_same_bits(
    by: str, options: dict[str, Any], epochs: int, epoch: int, frames: Path, _digits: Path, tmp_path: Path
) -> None:
    if SURROGATES[by].extra:
        pytest.importorskip("lightly")
    data = frames / "images" if by in ("slow", "egomotion") else _digits
    asked = options | {"epochs": epochs} | ({"poses": frames / options["poses"]} if "poses" in options else {})
    whole = run(data, tmp_path / "whole", by, **asked)

    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("pretraining") and done > epoch * total / epochs + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "halved", by, progress=stop, **asked)
    assert not (tmp_path / "halved" / "config.json").exists()
    assert Journal(tmp_path / "halved" / "records.jsonl").get(f"epoch/{epoch}") is not None
    resumed = run(data, tmp_path / "halved", by, **asked)
    assert same_weights(whole, resumed)
    assert [r.metrics for r in whole.records.of("epoch")] == [r.metrics for r in resumed.records.of("epoch")]


def same_weights(one: PretrainedRun, other: PretrainedRun) -> bool:
    """Whether two networks agree bit for bit."""
    a, b = (load_file(found.folder / "model.safetensors") for found in (one, other))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_nothing_is_chosen_by_the_probe(_digits: Path, tmp_path: Path) -> None:
    """A network that is watched on other images ends with the weights of one that nobody watched."""
    for path in _digits.rglob("*.png"):
        place = tmp_path / "others" / path.relative_to(_digits)
        place.parent.mkdir(parents=True, exist_ok=True)
        ImageOps.invert(Image.open(path)).save(place)
    watched = run(_digits, tmp_path / "watched", probe=tmp_path / "others", epochs=1)
    alone = run(_digits, tmp_path / "alone", epochs=1)
    assert all("probe" in record.metrics for record in watched.records.of("epoch"))
    assert watched.records.get("data").metrics["used"] == alone.records.get("data").metrics["used"]
    assert same_weights(watched, alone)


def test_a_finished_run_is_told_again_and_another_question_refused(done: PretrainedRun, _digits: Path) -> None:
    before = (done.folder / "records.jsonl").read_bytes()
    assert run(_digits, done.folder, probe=_digits).verdict == done.verdict
    assert (done.folder / "records.jsonl").read_bytes() == before
    with pytest.raises(RunError, match="epochs: 3 there, 4 now"):
        run(_digits, done.folder, probe=_digits, epochs=4)


def test_it_goes_on_from_other_weights(done: PretrainedRun, _digits: Path, tmp_path: Path) -> None:
    further = run(_digits, tmp_path / "further", start=done.backbone, epochs=1)
    assert further.records.get("training").backbone == done.backbone
    assert further.records.get("training").recipe["lr"] < done.records.get("training").recipe["lr"]
    assert further.records.get("epoch/0").metrics["solved"] is not None


def test_a_backbone_names_nothing_and_says_what_it_is_for(done: PretrainedRun) -> None:
    with pytest.raises(BundleError, match="names no classes") as caught:
        Predictor(done.folder)
    assert f"run:{done.folder}" in caught.value.remedy
    with pytest.raises(RunError, match="holds a pretraining"):
        done.explain()


def test_collapse_is_said(_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that gives every image the same features."""

    def alike(backbone: Any, read: Any, rows: np.ndarray, cuts: Any) -> dict[str, np.ndarray]:
        return {cut: np.ones((len(rows), 4)) for cut in cuts}

    monkeypatch.setattr(watching, "pooled", alike)
    found = run(_digits, tmp_path / "run", epochs=1)
    assert found.verdict.word == "collapsed"
    assert "have collapsed" in found.report.read_text()


@pytest.mark.parametrize(
    ("by", "options", "said"),
    [
        ("nonsense", {}, "no surrogate task nonsense"),
        ("exemplar", {"classes": 1}, "cannot be told apart"),
        ("exemplar", {"classes": 10, "clusters": 20}, "give no 20 clusters"),
        ("slow", {"apart": 1}, "--apart"),
        ("rotation", {"start": "packaged/*"}, "names 3 backbones"),
        ("rotation", {"epochs": 0}, "out of range"),
        ("rotation", {"epochs": None, "seen": 0}, "--seen"),
        ("rotation", {"seen": 100}, "takes the place of --epochs"),
        ("exemplar", {"poses": "poses.csv"}, "does not look at poses"),
    ],
)
def test_options_that_cannot_be(by: str, options: dict[str, Any], said: str, _digits: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        run(_digits, tmp_path / "run", by, **options)
    assert not (tmp_path / "run" / "records.jsonl").exists()


def test_material_that_cannot_be_learned_from(frames: Path, _digits: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone"
    lone.mkdir()
    Image.new("RGB", (8, 8)).save(lone / "1.png")
    for by, said in (("rotation", "There are 1 images"), ("slow", "has 1 frame")):
        with pytest.raises(DataError, match=said):
            run(lone, tmp_path / by, by)
    with pytest.raises(DataError, match="No two frames are 90 or more apart"):
        run(frames / "images" / "walk", tmp_path / "near", "slow", apart=90)
    still = tmp_path / "still.csv"
    still.write_text("frame,x\n" + "".join(f"{n}.png,5\n" for n in range(60)))
    with pytest.raises(DataError, match="camera does not move"):
        run(frames / "images" / "walk", tmp_path / "still", "egomotion", poses=still)
    with pytest.raises(RunError, match="lies inside"):
        run(_digits, _digits / "run")
    with pytest.raises(RunError, match="lies inside"):
        run(frames / "images", _digits / "run", probe=_digits)
    assert not (_digits / "run").exists()
    with pytest.raises(DataError, match="there are none"):
        run(np.zeros((20, 32, 32, 3), "u1"), tmp_path / "arrays", "supervised")


def test_bins_hold_what_a_motion_is_and_not_its_rounding() -> None:
    rng = np.random.default_rng(0)
    moves = rng.integers(0, 2, 400) + 1e-12 * rng.normal(size=400)
    seldom = np.where(rng.random(400) < 0.9, 0, rng.normal(size=400))
    still = 5 + 1e-12 * rng.normal(size=400)
    motions = [Motions(("forward", "up", "yaw"), np.stack([moves, seldom, still], 1))]
    names, sizes, (y,) = surrogates._binned(motions)
    assert names == ("forward", "up") and sizes == (2, 7)
    assert np.array_equal(y[:, 0], np.round(moves))
    assert len(np.unique(y[np.isclose(seldom, 0), 1])) == 1
    assert len(np.unique(y[:, 1])) == 7
    with pytest.raises(DataError, match="only action is ahead"):
        surrogates._binned([Motions(("action",), np.zeros((5, 1)), ("ahead", "left"))])


def test_actions_are_learned_from(frames: Path, tmp_path: Path) -> None:
    """An action for each frame: how far the next one is away."""
    rows = [line.split(",") for line in (frames / "poses.csv").read_text().splitlines()[1:]]
    apart = [int(after[1]) - int(before[1]) for before, after in pairwise(rows)]
    named = ["still" if one == 0 else "slow" if one < 3 else "fast" for one in [*apart, 0]]
    lines = [f"{row[0]},{action}" for row, action in zip(rows, named, strict=True)]
    (tmp_path / "actions.csv").write_text("frame,action\n" + "\n".join(lines) + "\n")
    found = run(frames / "images", tmp_path / "run", "egomotion", poses=tmp_path / "actions.csv", epochs=1)
    sets = found.records.get("data").detail["sets"]
    assert sets["axes"] == ["action"] and sets["bins"] == [3]
    commonest = max(named.count(one) for one in set(named)) / len(named)
    assert found.records.get("epoch/1").metrics["chance"] == pytest.approx(commonest, abs=0.05)
    shown = {one["answer"] for one in found.records.get("shown").detail["sets"]}
    assert shown and shown <= {"still", "slow", "fast"}


def test_a_video_of_large_frames_names_the_option(film: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="64 × 48 pixels, more than the 1,000 allowed") as told:
        run(film, tmp_path / "run", "slow", max_pixels=1000)
    assert told.value.remedy == "Raise --max-pixels."


@pytest.mark.parametrize("by", ["slow", "slow_margin", "steady"])
def test_one_short_sequence_has_two_sets_to_judge_on(film: Path, tmp_path: Path, by: str) -> None:
    found = run(film, tmp_path / "run", by, epochs=1, every=2, apart=5)
    assert found.records.get("data").detail["sets"]["held"] >= 2


def test_too_few_distant_frames_leave_no_question_and_no_traceback(frames: Path, tmp_path: Path) -> None:
    """Six frames are kept apart, and ten lie between distant ones."""
    found = run(frames / "images" / "walk", tmp_path / "run", "slow", epochs=1)
    assert found.records.get("epoch/1").metrics["solved"] is None
    assert "too few frames are distant" in found.report.read_text()


def test_other_data_are_refused_on_resuming(frames: Path, _digits: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage.startswith("pretraining"):
            raise KeyboardInterrupt

    probe = Path(shutil.copytree(_digits, tmp_path / "probe"))
    with pytest.raises(KeyboardInterrupt):
        run(_digits, tmp_path / "one", probe=probe, progress=stop)
    next(probe.rglob("*.png")).unlink()
    with pytest.raises(RunError, match="has changed"):
        run(_digits, tmp_path / "one", probe=probe)
    poses = Path(shutil.copy(frames / "poses.csv", tmp_path / "poses.csv"))
    with pytest.raises(KeyboardInterrupt):
        run(frames / "images", tmp_path / "two", "egomotion", poses=poses, progress=stop)
    poses.write_text(poses.read_text().replace("walk/3.png,", "walk/3.png,9"))
    with pytest.raises(RunError, match="has changed"):
        run(frames / "images", tmp_path / "two", "egomotion", poses=poses)


def test_images_and_videos_in_one_folder_are_refused(_digits: Path, tmp_path: Path) -> None:
    both = Path(shutil.copytree(_digits, tmp_path / "both"))
    (both / "film.mp4").touch()
    with pytest.raises(DataError, match=r"holds 120 image\(s\) and 1 video"):
        run(both, tmp_path / "run")


def test_so_many_images_are_gone_through(_digits: Path, tmp_path: Path) -> None:
    few = run(_digits, tmp_path / "few", epochs=None, seen=60)
    assert few.records.get("training").cost["images"] == 60
    more = run(_digits, tmp_path / "more", "egomotion", epochs=None, seen=432)
    assert more.records.get("training").recipe["epochs"] == 2


def test_every_file_that_cannot_be_used_is_named(digits_folder: Path, tmp_path: Path) -> None:
    for name in ("torn.png", "note.txt"):
        (digits_folder / name).write_bytes(b"no image")
    found = run(digits_folder, tmp_path / "run", epochs=1)
    assert [one["path"] for one in found.records.get("data").detail["broken"]] == ["note.txt", "torn.png"]
    assert found.records.get("data").metrics["used"] == 120
    assert all(name in found.report.read_text() for name in ("torn.png", "note.txt"))


def test_arrays_are_learned_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    found = run(images, tmp_path / "run", epochs=1)
    assert found.records.get("data").metrics["used"] == 40
    assert run(list(images), tmp_path / "list", epochs=1).records.get("data").data == found.records.get("data").data
    grey = run((one[:, :, 0] for one in images), tmp_path / "generator", epochs=1)
    assert grey.records.get("data").metrics["used"] == 40
    for by in ("rotation", "slow"):
        with pytest.raises(DataError, match="There are no images"):
            run([], tmp_path / by, by)
    with pytest.raises(DataError, match="different shapes"):
        run((images[0, :side] for side in (8, 9)), tmp_path / "sizes")
    assert not found.records.get("plan").detail["options"]["probe"]


def test_frames_come_from_a_generator(tmp_path: Path) -> None:
    """It gives single frames, which are one sequence, or one sequence after another; it is gone through once."""
    scene = np.random.default_rng(0).integers(0, 255, (32, 92, 3), dtype=np.uint8)
    frames = [scene[:, place : place + 32] for place in range(60)]
    one = run(iter(frames), tmp_path / "one", "slow", epochs=1).records.get("data")
    assert one.detail["sequences"] == ["sequence 0"] and one.metrics["used"] == 60
    assert run([np.stack(frames)], tmp_path / "list", "slow", epochs=1).records.get("data").data == one.data
    halves = (np.stack(frames[at : at + 30]) for at in (0, 30))
    two = run(halves, tmp_path / "two", "slow", epochs=1).records.get("data")
    assert two.detail["sequences"] == ["sequence 0", "sequence 1"] and two.metrics["used"] == 60


def test_the_budget_becomes_epochs(_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.runs.beginning._seconds_a_step", lambda *_: 1.0)
    monkeypatch.setattr("headstart.runs.pretrain.train", lambda *_, **__: pytest.skip("planned"))
    steps = len(range(0, 108, 32))
    with pytest.raises(pytest.skip.Exception):
        run(_digits, tmp_path / "run", epochs=None, budget=100.0)
    plan = Journal(tmp_path / "run" / "records.jsonl").get("plan").detail
    assert 80 // steps - 2 <= plan["epochs"] <= 85 // steps
