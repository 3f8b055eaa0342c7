"""The problem card of an earlier run's data and the next task's own: evidence, measured last, on no test image."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.runs.conftest import BACKBONE, Fit, make_quick
from tests.runs.test_resume import stopping_at, told

import headstart
from headstart.advice import Calibration
from headstart.records import Journal, Record
from headstart.report.comparison import sentences
from headstart.runs import fit as fitting
from headstart.runs.run import Run
from headstart.runs.sources import planned_sources

QUICK = {"size": 32, "budget": 600, "strategy": "probe"}


@pytest.fixture(scope="module")
def pale(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    """Return pale negatives of the digits, under other names, of which one class is called something else."""
    root = tmp_path_factory.mktemp("pale")
    for path in sorted(_digits.rglob("*.png")):
        label = "four" if path.parent.name == "4" else path.parent.name
        (root / label).mkdir(exist_ok=True)
        Image.fromarray((255 - 0.6 * np.array(Image.open(path))).astype("uint8")).save(root / label / f"s{path.name}")
    return root


@pytest.fixture(scope="module")
def descended(tmp_path_factory: pytest.TempPathFactory, _finished: Path, pale: Path) -> Run:
    """Return a run on the pale digits that was told to start from the run on the digits."""
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        out = tmp_path_factory.mktemp("descended") / "run"
        return fitting.fit(pale, out, runs=[_finished], **QUICK)


@pytest.mark.slow
def test_the_card_is_that_of_compare_without_the_test_part(
    descended: Run, _digits: Path, pale: Path, tmp_path: Path
) -> None:
    parts = json.loads((descended.folder / "split.json").read_text())
    for name in (*parts["train"], *parts["val"]):
        (tmp_path / "ours" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pale / name, tmp_path / "ours" / name)
    expected = headstart.compare(_digits, tmp_path / "ours", backbone=BACKBONE, size=32)
    (card,) = descended.sources
    target = replace(card.spaces.target, name="ours")
    assert replace(card, tolerance=5.0, folder=None, spaces=replace(card.spaces, target=target)) == replace(
        expected, tolerance=5.0
    )
    assert card.tolerance == expected.tolerance and card.report == descended.report
    assert card.answers["marginal"].judgement == "different" and card.answers["label space"].judgement == "different"
    ours = [record.to_json() for record in descended.records if record.key.startswith("source/")]
    assert len(ours) == 9 and not any(name in line for line in ours for name in parts["test"])


@pytest.mark.slow
def test_it_is_planned_said_and_drawn(descended: Run, _finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, plan, spent = (descended.records.get(key) for key in ("source/0", "plan", "spent"))
    assert record is not None and plan is not None and spent is not None
    assert plan.detail["units"][-1]["key"] == "source/0" and plan.detail["sources"] == [str(_finished)]
    stage = spent.detail["stages"][-1]
    assert stage["planned_s"] > 0 and stage["spent_s"] == record.cost["seconds"] > 0
    assert record.backbone == BACKBONE and record.part == "train+val"
    page = " ".join((descended.folder / "report.html").read_text().split())
    assert 'id="source"' in page and descended.sources[0].answers["marginal"].sentence in page
    assert "source-0-shift" in page and "source-0-map" in page and page.count("no picture") == 0
    assert f"--from {_finished}" in page and f"--backbone run:{_finished}" not in page
    first, sizes = sentences(record.detail)
    assert descended.sources[0].case.sentence in first and "P(X) different, +" in sizes
    assert "## The source's images and these" in (descended.folder / "README.md").read_text()
    from headstart.cli.show import Terminal

    Terminal(quiet=False).close(descended, as_json=False)
    assert first in capsys.readouterr().out
    Terminal(quiet=True).close(descended, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["sources"]
    assert found == record.detail


@pytest.mark.slow
def test_nothing_else_of_the_run_depends_on_it(
    quick: None, descended: Run, _finished: Path, pale: Path, tmp_path: Path
) -> None:
    plain = fitting.fit(pale, tmp_path / "run", backbones=[f"run:{_finished}", BACKBONE], **QUICK)
    plan = plain.records.get("plan")
    assert plan is not None and "sources" not in plan.detail
    assert plain.sources == () and plain.records.get("source/0") is None
    others = [row for row in told(descended.folder) if not row["key"].startswith("source/")]
    assert others == told(plain.folder)
    assert 'id="source"' not in (plain.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_card_that_was_interrupted_goes_on_and_is_not_measured_again(
    quick: None, descended: Run, _finished: Path, pale: Path, tmp_path: Path
) -> None:
    options = {"runs": [_finished], **QUICK}
    with pytest.raises(KeyboardInterrupt):
        fitting.fit(pale, tmp_path / "run", progress=stopping_at("measuring: conditional", 0), **options)
    before = [record.key for record in Journal(tmp_path / "run" / "records.jsonl")]
    assert "source/0/given_class" in before and "source/0" not in before
    said: list[Record] = []
    run = fitting.fit(pale, tmp_path / "run", on_record=said.append, **options)
    assert {"source/0/conditional", "source/0/verdict", "source/0", "spent"} <= {record.key for record in said}
    keys = [json.loads(line)["key"] for line in (run.folder / "records.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys)) and keys[: len(before)] == before
    assert told(run.folder) == told(descended.folder)
    assert replace(run.sources[0], folder=None) == replace(descended.sources[0], folder=None)


GONE = {
    "moved": ("data", "/no/such/folder", "There is no folder"),
    "arrays": ("data", "arrays", "arrays from Python"),
    "changed": ("fingerprint", "0" * 32, "have changed since that run"),
}


@pytest.mark.slow
@pytest.mark.parametrize("why", GONE)
def test_where_the_earlier_images_cannot_be_read_a_sentence_says_so(
    small_fit: Fit, finished: Path, pale: Path, tmp_path: Path, why: str
) -> None:
    what, now, words = GONE[why]
    earlier = Run(finished).records
    plan, data = earlier.get("plan"), earlier.get("data")
    assert plan is not None and data is not None
    old = {"data": plan.detail["options"]["data"], "fingerprint": data.data}[what]
    path = finished / "records.jsonl"
    path.write_text(path.read_text().replace(json.dumps(old), json.dumps(now)))
    run = small_fit(tmp_path / "run", data=pale, backbones=[], runs=[finished], strategy="probe")
    record = run.records.get("source/0")
    assert record is not None and run.sources == () and run.metrics
    note = record.detail["note"]
    assert note.startswith(f"The images of {finished} were not compared with these: ") and words in note
    assert note in " ".join((run.folder / "report.html").read_text().split())
    assert not [key for r in run.records if (key := r.key).startswith("source/0/")]


@pytest.mark.slow
def test_a_small_budget_is_not_eaten(small_fit: Fit, finished: Path, pale: Path, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", data=pale, backbones=[], runs=[finished], strategy="probe", budget=60)
    record, plan = run.records.get("source/0"), run.records.get("plan")
    assert record is not None and plan is not None
    assert "The budget leaves no time for it" in record.detail["note"]
    assert "source/0" not in [unit["key"] for unit in plan.detail["units"]]
    assert any("`headstart compare` does it" in note for note in plan.detail["notes"])


@pytest.mark.slow
def test_a_tenth_of_the_budget_is_for_all_cards_together(finished: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(finished, tmp_path / "other"))
    costs = {name: Calibration(1e-3, {}, 1e-6) for name in (f"run:{finished}", BACKBONE)}
    units, notes = planned_sources([str(finished), str(other)], costs, budget=1000)
    assert [unit.key for unit in units] == ["source/0", "source/1"] and notes == ()
    one = units[0].seconds
    units, notes = planned_sources([str(finished), str(other)], costs, budget=15 * one)
    assert [unit.key for unit in units] == ["source/0"] and str(other) in notes[0]
    dearer = {name: replace(cost, forward=1e-2) for name, cost in costs.items()}
    assert planned_sources([str(finished)], dearer, budget=1000)[0][0].seconds == pytest.approx(one + 500 * 9e-3)
