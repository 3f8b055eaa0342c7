"""Scores back-tested by really fine-tuning tiny networks on real digits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headstart
from headstart.advice import Calibration, races
from headstart.errors import OptionError, RunError
from headstart.evidence.ranking import weighted_tau
from headstart.evidence.transferability import SCORES
from headstart.problem import read_labelled
from headstart.records import Journal, Record
from headstart.report import draw, explain
from headstart.runs import fit as fitting
from headstart.runs import planning, preparing
from headstart.runs.context import Prepared, kept_predictions
from headstart.runs.options import Reading
from headstart.runs.ranking import rank
from headstart.runs.study import racing
from headstart.runs.study.backtested import Backtested

TINY = ("random/test_resnet", "random/test_vit")
Study = Callable[..., Backtested]


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Two epochs, at constant costs."""

    def constant(names: Any, rows: Any, **_: object) -> dict[str, Calibration]:
        return {name: Calibration(1e-5, {row.name: 1e-4 for row in rows}, 1e-6) for name in names}

    patch.setattr(planning, "calibrate", constant)
    patch.setattr(races, "MOST_EPOCHS", 2)


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch, digits_folder: Path) -> Study:
    """`headstart.study.ranking` of two tiny networks on 120 real digits, two repeats."""
    make_quick(monkeypatch)

    def call(out: Path, data: Path = digits_folder, **options: Any) -> Backtested:
        return racing.ranking(data, out, **{"backbones": TINY, "size": 32, "repeats": 2} | options)

    return call


@pytest.fixture(scope="module")
def _unbroken(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> tuple[Path, Backtested]:
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        out = tmp_path_factory.mktemp("study") / "out"
        return out, racing.ranking(_digits, out, backbones=TINY, size=32, repeats=2)


@pytest.fixture
def unbroken(_unbroken: tuple[Path, Backtested], tmp_path: Path) -> tuple[Path, Backtested]:
    """Return a copy of a finished study's folder, and what it gave."""
    return Path(shutil.copytree(_unbroken[0], tmp_path / "unbroken")), _unbroken[1]


def keys(folder: Path) -> list[str]:
    return [json.loads(line)["key"] for line in (folder / "records.jsonl").read_text().splitlines()]


def test_numbers_are_those_of_the_records(unbroken: tuple[Path, Backtested]) -> None:
    folder, found = unbroken
    journal = Journal(folder / "records.jsonl")
    assert keys(folder)[:2] == ["plan", "data"] and keys(folder)[-1] == "backtest" and len(keys(folder)) == 11
    assert list(found.scores) == [*SCORES, "probe"]
    tuned = np.array([[journal.get(f"candidate/{r}-{m}").metrics["value"] for m in range(2)] for r in range(2)])
    for name, one in found.scores.items():
        given = np.array([[journal.get(f"scored/{r}-{m}").metrics[name] for m in range(2)] for r in range(2)])
        used = [tuned[r, given[r] == given[r].max()].mean() for r in range(2)]
        assert one.regret.value == pytest.approx(np.mean(tuned.max(axis=1) - used))
        assert one.tau.value == pytest.approx(np.mean([weighted_tau(given[r], tuned[r]) for r in range(2)]))
        assert one.tau_among is None and 1 <= one.tied <= 2
    assert {one.backbone: one.accuracy.value for one in found.networks} == pytest.approx(
        dict(zip(TINY, tuned.mean(axis=0), strict=True))
    )
    assert found.epochs == 2 and found.strategy == "all" and found.repeats == 2
    assert "2 repeats of 2 networks, 4 cells" in found.sentence
    assert any("few orders" in note for note in found.notes)


def test_scores_are_those_that_rank_gives(unbroken: tuple[Path, Backtested], _digits: Path) -> None:
    journal = Journal(unbroken[0] / "records.jsonl")
    for standing in rank(_digits, backbones=TINY, size=32, scores=["all"]).standings:
        record = journal.get(f"scored/0-{TINY.index(standing.backbone)}")
        assert record is not None
        assert {name: record.metrics[name] for name in SCORES} == pytest.approx(standing.scores)


def test_the_test_part_is_in_no_number(
    study: Study, unbroken: tuple[Path, Backtested], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, extracted = racing.prepare, racing.extract
    tests: list[np.ndarray] = []

    def spoiled(*words: Any) -> Any:
        prepared, record = read(*words)
        prepared.y[prepared.split.test] = 0
        tests.append(prepared.split.test)
        return prepared, record

    def watched(backbone: Any, survey: Any, indices: np.ndarray, **more: Any) -> Any:
        assert not set(indices) & set(tests[0])
        return extracted(backbone, survey, indices, **more)

    monkeypatch.setattr(racing, "prepare", spoiled)
    monkeypatch.setattr(racing, "extract", watched)
    assert study(tmp_path / "out") == unbroken[1]
    judged = [kept_predictions(tmp_path / f"out/work/{r}-0-predictions.safetensors")[0] for r in range(2)]
    assert set(judged[0]) != set(judged[1]) and len(tests[0]) == 24
    assert not set(np.concatenate(judged)) & set(tests[0])


def drawn_twice(folder: Path, cache: Path) -> tuple[Prepared, Prepared]:
    """Return the split of seed 5, and its parts drawn anew with seed 6."""
    asked = {"data": "", "backbones": TINY, "size": 32, "split": (0.6, 0.2, 0.2), "device": "cpu"}
    told: Any = {"cache": cache, "progress": lambda *_: None}
    first = preparing.read(read_labelled(folder), Reading(**asked, seed=5), **told)
    return first, preparing.redrawn(first, Reading(**asked, seed=6))


def test_a_repeat_has_another_validation_part_and_groups_stay_whole(digits_folder: Path, tmp_path: Path) -> None:
    for image in sorted((digits_folder / "0").iterdir())[:9]:
        (digits_folder / "0" / f"copy-{image.name}").write_bytes(image.read_bytes())
    first, again = drawn_twice(digits_folder, tmp_path)
    assert again.split.test.tolist() == first.split.test.tolist()
    assert set(again.split.val) != set(first.split.val)
    assert len(again.split.val) == pytest.approx(len(first.split.val), abs=3)
    sides = [set(first.groups[part]) for part in (again.split.train, again.split.val, again.split.test)]
    assert not (sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2])


def test_parts_that_the_data_give_stay(digits_folder: Path, tmp_path: Path) -> None:
    for part, chosen in (("train", slice(0, 16)), ("val", slice(16, 20)), ("test", slice(20, 24))):
        for folder in sorted(digits_folder.iterdir()):
            (tmp_path / "given" / part / folder.name).mkdir(parents=True)
            for image in sorted(folder.iterdir())[chosen]:
                shutil.copy(image, tmp_path / "given" / part / folder.name)
    copied = next((tmp_path / "given/test/0").iterdir())
    shutil.copy(copied, tmp_path / "given/train/0/copy.png")
    first, again = drawn_twice(tmp_path / "given", tmp_path)
    for part in ("train", "val", "test", "aside"):
        assert getattr(again.split, part).tolist() == getattr(first.split, part).tolist()
    assert len(first.split.aside) == 1 and again.split.leaks == first.split.leaks


@pytest.mark.parametrize("after", [3, 8])
def test_interrupted_and_resumed_it_ends_the_same(
    study: Study, unbroken: tuple[Path, Backtested], tmp_path: Path, after: int
) -> None:
    heard: list[Record] = []

    def stop(record: Record) -> None:
        heard.append(record)
        if len(heard) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "out", on_record=stop)
    assert len(keys(tmp_path / "out")) == after
    assert study(tmp_path / "out") == unbroken[1]
    assert keys(tmp_path / "out") == keys(unbroken[0])


def test_a_finished_study_is_read_from_its_records(
    study: Study, unbroken: tuple[Path, Backtested], digits_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, found = unbroken
    shutil.rmtree(folder / "work")
    monkeypatch.setattr(racing, "_race", None)
    journal = (folder / "records.jsonl").read_text()
    plan = json.loads(journal.splitlines()[0])
    asked = Path(plan["detail"]["options"]["data"])
    assert study(folder, data=asked) == found
    assert (folder / "records.jsonl").read_text() == journal
    with pytest.raises(RunError, match="another run"):
        study(folder, data=asked, repeats=3)
    with pytest.raises(RunError, match="another run"):
        study(folder, data=digits_folder)
    with pytest.raises(RunError, match="a run of another command"):
        fitting.fit(asked, folder, backbones=TINY, size=32, strategy="all", budget="20m", margin=0.0)


def test_its_folder_is_not_taken_for_that_of_a_fit(unbroken: tuple[Path, Backtested]) -> None:
    folder, _ = unbroken
    with pytest.raises(RunError, match="holds a back-test of scores"):
        explain(folder)
    with pytest.raises(RunError, match="which has no page"):
        draw(folder)
    assert not (folder / "report.html").exists()


def test_what_a_study_keeps_is_small(unbroken: tuple[Path, Backtested]) -> None:
    assert {path.name.partition("-predictions")[1] for path in (unbroken[0] / "work").iterdir()} == {"-predictions"}


def test_one_repeat_is_said_to_show_nothing(study: Study, tmp_path: Path) -> None:
    found = study(tmp_path / "out", repeats=1, strategy="last_block")
    assert "One repeat shows nothing" in found.sentence and "one repeat of 2 networks" in found.sentence
    assert not any(one.beats_blind or one.beats_reference for one in found.scores.values())
    assert headstart.study.ranking is racing.ranking


def test_a_budget_that_is_too_small_says_what_it_would_take(study: Study, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"4 fine-tunings .* the budget is 20 seconds") as caught:
        study(tmp_path / "out", budget="20s")
    assert "--budget" in caught.value.remedy
    assert not list((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize(
    "options",
    [
        {"backbones": TINY[:1]},
        {"strategy": "probe"},
        {"strategy": "scratch"},
        {"strategy": "finetune"},
        {"repeats": 0},
        {"repeats": 51},
        {"budget": "soon"},
        {"size": 7},
        {"seed": -1},
    ],
)
def test_what_cannot_be_asked_is_refused(study: Study, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        study(tmp_path / "out", **options)
    assert caught.value.fact and caught.value.remedy
    assert not (tmp_path / "out").exists()
