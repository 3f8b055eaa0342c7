"""Curves of trained networks: judged on the images of the frozen curve, planned once, resumed with the same numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart
from headstart.advice import Calibration, growth
from headstart.errors import OptionError, RunError
from headstart.evidence.growing import accuracies
from headstart.records import Journal
from headstart.runs import growing
from headstart.runs import labels as asked
from headstart.runs.grown import Labels, Trainings

BACKBONE = "random/test_resnet"
COSTS = Calibration(1e-5, {"all": 1e-4, "last_block": 1e-4, "scratch": 1e-4}, 1e-6)
Found = tuple[Labels, Path]


def quick(patch: pytest.MonkeyPatch, costs: Calibration = COSTS) -> None:
    """Few epochs, at costs that do not depend on the machine."""
    patch.setattr(growing, "calibrate", lambda names, rows, **_: dict.fromkeys(names, costs))
    for name, epochs in (("FEWEST_EPOCHS", 2), ("MOST_EPOCHS", 2), ("MOST_SCRATCH_EPOCHS", 3), ("SIZES", 2)):
        patch.setattr(growth, name, epochs)


def found(folder: Path, out: Path, **options: Any) -> Labels:
    question = {"backbone": BACKBONE, "size": 32, "more": 30, "replicates": 2, "finetune": True, "budget": 600}
    return headstart.labels(folder, out=out, **(question | options))


def trained(one: Labels) -> Trainings:
    assert one.trained is not None
    return one.trained


def records(out: Path) -> dict[str, Any]:
    """What the trainings gave, without the time that they took."""
    made = Journal(out / "records.jsonl").of("training")
    return {r.key: (r.metrics, r.detail, r.recipe, r.cost["epochs"], r.cost["images"]) for r in made}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Found:
    """Return what was found without an interruption, and its folder, to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        out = tmp_path_factory.mktemp("whole") / "run"
        return found(_digits, out), out


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


def test_what_is_trained_and_compared(whole: Found) -> None:
    one, out = whole
    made = trained(one)
    assert [curve.strategy for curve in made.curves] == ["all", "scratch"]
    assert [(met.one, met.other) for met in made.meetings] == [("probe", "all"), ("all", "scratch")]
    assert [curve.epochs for curve in made.curves] == [2, 3] and made.replicates == 2
    assert [note for note in made.notes if "level off cannot be told" not in note] == []
    kept = records(out)
    for curve in made.curves:
        assert set(curve.sizes) <= set(one.sizes) and len(curve.sizes) == 2 and curve.sizes[-1] == one.sizes[-1]
        values = [[kept[f"training/{curve.strategy}/{n}/{i}"][0]["value"] for n in curve.sizes] for i in range(2)]
        np.testing.assert_allclose([point.value for point in curve.points], np.mean(values, axis=0))
        # With two replicates the frozen curve's points are means over the same ones.
        frozen = one.transferred.points[-1].value
        assert curve.over_frozen.value == pytest.approx(curve.points[-1].value - frozen)
        assert curve.over_frozen.low is not None and curve.gain is not None and curve.gain.low is not None
    assert not list((out / "work").iterdir()) and (out / "curves.svg").read_text().startswith("<svg")
    document = json.loads(json.dumps(one.to_json()))
    assert Journal(out / "records.jsonl").get("labels").detail == document  # type: ignore[union-attr]


def test_each_training_is_judged_on_the_images_of_the_frozen_replicate_and_sees_none_of_them(
    digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[list[int]] = []
    fitted: list[tuple[str, set[int]]] = []
    draws: list[tuple[list[int], list[int]]] = []
    parts: list[Any] = []
    probabilities, fine_tune, real, read = growing.probabilities, growing.fine_tune, accuracies, asked.read

    def judging(context: Any, prepared: Any, model: Any, indices: np.ndarray) -> np.ndarray:
        judged.append(indices.tolist())
        return probabilities(context, prepared, model, indices)

    def fitting(*arguments: Any, row: Any, indices: np.ndarray, **more: Any) -> Any:
        fitted.append((row.name, set(indices.tolist())))
        return fine_tune(*arguments, row=row, indices=indices, **more)

    def drawing(x: Any, y: Any, draw: Any, **more: Any) -> np.ndarray:
        draws.append((draw.order.tolist(), draw.held.tolist()))
        return real(x, y, draw, **more)

    def reading(*arguments: Any, **more: Any) -> Any:
        parts.append(read(*arguments, **more))
        return parts[-1]

    for module, name, stand_in in (
        (growing, "probabilities", judging),
        (growing, "fine_tune", fitting),
        (asked, "accuracies", drawing),
        (asked, "read", reading),
    ):
        monkeypatch.setattr(module, name, stand_in)
    one = found(digits_folder, tmp_path / "run")
    split = parts[0].split
    pool = np.sort(np.concatenate([split.train, split.val]))
    assert len(judged) == len(fitted) == sum(len(c.sizes) for c in trained(one).curves) * trained(one).replicates
    order = [(n, i) for n in reversed(trained(one).curves[0].sizes) for i in range(2) for _ in range(2)]
    for (n, replicate), images, (_, sample) in zip(order, judged, fitted, strict=True):
        joined, held = draws[replicate]
        assert images == pool[held].tolist()
        assert sample == set(pool[joined[:n]].tolist()) and len(sample) == n
        assert not sample & set(images) and not (sample | set(images)) & set(split.test.tolist())
    assert [row for row, _ in fitted[:4]] == ["all", "scratch", "all", "scratch"]


@pytest.mark.parametrize(
    ("stage", "reached"),
    [
        ("training from scratch: 77 labels, 1 of 2", 7),
        ("fine-tuning everything: 34 labels, 2 of 2", 1),
    ],
)
def test_an_interrupted_run_ends_with_the_same_numbers(
    whole: Found, _digits: Path, tmp_path: Path, stage: str, reached: int
) -> None:
    one, out = whole

    def stopping(at: str, done: int, total: int) -> None:
        if at == stage and done >= reached:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found(_digits, tmp_path / "run", progress=stopping)
    before = records(tmp_path / "run")
    assert len(before) < len(records(out))
    again = found(_digits, tmp_path / "run")
    assert records(tmp_path / "run") == records(out)
    assert before.items() <= records(tmp_path / "run").items()
    assert trained(again).curves == trained(one).curves and trained(again).meetings == trained(one).meetings


def test_a_finished_run_trains_nothing_and_forecasts_anew(
    whole: Found, _digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, out = whole
    shutil.copytree(out, tmp_path / "run")
    monkeypatch.setattr(growing, "fine_tune", None)
    assert found(_digits, tmp_path / "run") == one
    lines = (tmp_path / "run" / "records.jsonl").read_text()
    assert lines == (out / "records.jsonl").read_text()
    more = found(_digits, tmp_path / "run", more=60)
    assert trained(more).curves[0].points == trained(one).curves[0].points
    assert trained(more).curves[0].gain != trained(one).curves[0].gain


@pytest.mark.parametrize("options", [{"seed": 1}, {"replicates": 3}, {"strategy": "last_block"}, {"budget": 300}])
def test_another_question_is_refused(whole: Found, _digits: Path, options: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="holds another run"):
        found(_digits, whole[1], **options)


def test_other_commands_and_changed_images_are_refused(whole: Found, digits_folder: Path, tmp_path: Path) -> None:
    _, out = whole
    with pytest.raises(RunError, match="another command"):
        headstart.fit(digits_folder, out, backbones=[BACKBONE], size=32)
    with pytest.raises(RunError, match="lies inside the folder of images"):
        found(digits_folder, digits_folder / "run")
    with pytest.raises(KeyboardInterrupt):
        found(digits_folder, tmp_path / "run", progress=_stop_training)
    next((digits_folder / "0").iterdir()).unlink()
    with pytest.raises(RunError, match="changed since the run"):
        found(digits_folder, tmp_path / "run")


def _stop_training(stage: str, done: int, total: int) -> None:
    if stage.startswith("fine-tuning"):
        raise KeyboardInterrupt


def test_a_budget_for_no_training_gives_the_frozen_answer(digits_folder: Path, tmp_path: Path) -> None:
    one = found(digits_folder, tmp_path / "run", budget=0.5)
    assert trained(one).curves == trained(one).meetings == ()
    assert "which the budget does not hold" in trained(one).notes[0]
    assert one.gain == headstart.labels(digits_folder, backbone=BACKBONE, size=32, more=30, replicates=2).gain


def test_one_training_has_no_curve_and_no_interval(
    digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, Calibration(1e-5, {"last_block": 100.0, "scratch": 100.0}, 1e-6))
    one = found(digits_folder, tmp_path / "run", budget=17_000, strategy="last_block", replicates=1)
    [curve] = trained(one).curves
    assert curve.strategy == "last_block" and len(curve.sizes) == 1
    assert (curve.now, curve.gain, curve.over_frozen.low) == (None, None, None) and trained(one).meetings == ()
    assert any("no curve" in note for note in trained(one).notes)


@pytest.mark.parametrize(
    "options", [{"out": None}, {"finetune": False}, {"strategy": "probe"}, {"strategy": "none"}, {"budget": "soon"}]
)
def test_what_cannot_be_asked(digits_folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        found(digits_folder, **({"out": tmp_path / "run"} | options))


def test_a_class_without_a_label_starts_below_the_others(
    digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real: Callable[..., Any] = growing.fine_tune.__globals__["_start"]

    def starting(*arguments: Any, **more: Any) -> Any:
        seen.append((real(*arguments, **more)[0].head, more["fit"], arguments[1]))
        return real(*arguments, **more)

    monkeypatch.setitem(growing.fine_tune.__globals__, "_start", starting)
    monkeypatch.setattr(
        growing,
        "_source",
        lambda context, prepared, start, sample, real=growing._source: real(
            context, prepared, start, sample[prepared.y[sample] != 2]
        ),
    )
    trainings = growing.fine_tune

    def without(*arguments: Any, indices: np.ndarray, **more: Any) -> Any:
        return trainings(*arguments, indices=indices[arguments[1].y[indices] != 2], **more)

    monkeypatch.setattr(growing, "fine_tune", without)
    found(digits_folder, tmp_path / "run", replicates=1)
    head, fit, prepared = seen[0]
    assert set(prepared.y[fit].tolist()) == {0, 1, 3, 4}
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    assert (weight[2] == 0).all() and bias[2] == bias.min() and (np.abs(weight[[0, 1, 3, 4]]).sum(axis=1) > 0).all()
