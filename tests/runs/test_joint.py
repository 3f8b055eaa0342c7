"""Several tasks on small real digits: what is handed back, what never moves, and what an interruption leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from headstart import joint
from headstart.backbones import load
from headstart.bundle.learned import learned_by
from headstart.bundle.save import rebuild
from headstart.errors import DataError, OptionError, RunError
from headstart.evidence import Difference
from headstart.records import Journal
from headstart.report import draw, explain
from headstart.runs import descent, joining
from headstart.runs import fit as fitting
from headstart.runs.joined import JointRun
from headstart.runs.several import strata

BACKBONE = "random/test_efficientnet"
FILES = ("model.safetensors", "work/joint-model.safetensors", "work/alone-0-model.safetensors")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> Path:
    """Return a table of 120 real digits with 'digit' and 'even'; one in five cells of each is empty, never both."""
    rng, rows = np.random.default_rng(0), ["path,digit,even"]
    for path in sorted(_digits.rglob("*.png")):
        label, missing = int(path.parent.name), rng.random()
        even = "yes" if label % 2 == 0 else "no"
        rows.append(f"{path},{'' if missing < 0.2 else label},{'' if missing > 0.8 else even}")
    out = tmp_path_factory.mktemp("table") / "digits.csv"
    out.write_text("\n".join(rows) + "\n")
    return out


def run(table: Path, out: Path, **options: Any) -> JointRun:
    asked = {"backbone": BACKBONE, "size": 32, "epochs": 4} | options
    return joint(table, asked.pop("labels", ["digit", "even"]), out, **asked)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, table: Path) -> JointRun:
    """Return a run that nothing interrupted."""
    return run(table, tmp_path_factory.mktemp("done") / "run")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the jointly trained network the one that is shown to be better."""
    monkeypatch.setattr(joining, "paired_over_tasks", lambda *_, **__: Difference(0.1, 0.05, 0.15))


def test_a_class_of_few_images_is_learned_from(table: Path, tmp_path: Path) -> None:
    rows = table.read_text().splitlines()[1:]
    paths = [row.partition(",")[0] for row in rows]
    rare = [f"{path},{i % 2},{'seldom' if i in (5, 50, 100) else 'often'}" for i, path in enumerate(paths)]
    told = tmp_path / "rare.csv"
    told.write_text("\n".join(["path,digit,even", *rare]) + "\n")
    for seed in range(3):
        assert run(told, tmp_path / f"run-{seed}", seed=seed, epochs=1).verdict.chosen in ("frozen", "joint")


def test_a_fit_from_it_does_not_take_its_tasks_for_one(done: JointRun, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(done.folder, folder)
    with pytest.raises(RunError, match="another command"):
        descent._test_images(None, folder, rebuild(folder))  # type: ignore[arg-type]


def test_every_task_is_judged_under_every_way(done: JointRun) -> None:
    found = {r.key: [(one["task"], one["n"]) for one in r.detail["tasks"]] for r in done.records.of("candidate")}
    assert list(found) == ["frozen", "alone/digit", "alone/even", "joint"]
    (digit,), (even,) = found["alone/digit"], found["alone/even"]
    assert found["frozen"] == found["joint"] == [digit, even]
    data = done.records.get("data")
    assert data is not None
    assert [(one["name"], one["val"]) for one in data.detail["tasks"]] == [digit, even]
    assert any("images have no label of digit" in note for note in data.detail["notes"])
    assert set(done.metrics) == {"digit", "even"} and set(done.verdict.tasks) == {"digit", "even"}
    assert all((done.folder / name).exists() for name in ("report.html", "README.md", "split.json", "config.json"))


def test_all_train_as_long(done: JointRun) -> None:
    recipes = [r.recipe for r in done.records.of("candidate") if r.key != "frozen"]
    assert {recipe["epochs"] for recipe in recipes} == {4}
    assert len({json.dumps(recipe, sort_keys=True) for recipe in recipes}) == 1


def test_the_frozen_network_is_its_source_bit_for_bit(done: JointRun) -> None:
    assert done.verdict.chosen == "frozen"
    source = load(BACKBONE, size=32)
    kept, theirs = rebuild(done.folder).backbone.network.state_dict(), source.network.state_dict()
    assert kept.keys() <= theirs.keys() and kept
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in kept.items())


def test_a_label_per_task_is_predicted_as_it_was_judged(done: JointRun, table: Path) -> None:
    from headstart.records.arrays import read_arrays

    stored = read_arrays(done.folder / "work" / "frozen-predictions.safetensors")
    names = json.loads((done.folder / "split.json").read_text())["val"]
    found = done.predictor.predict_tasks([table.parent / name for name in names])
    assert {name: shares.shape for name, shares in found.items()} == {"digit": (len(names), 5), "even": (len(names), 2)}
    assert all(np.abs(shares.sum(1) - 1).max() < 1e-5 for shares in found.values())
    assert stored is not None
    np.testing.assert_allclose(np.concatenate(list(found.values()), axis=1), stored[0]["probabilities"], atol=2e-3)
    assert done.predictor.tasks == {"digit": ("0", "1", "2", "3", "4"), "even": ("no", "yes")}


def test_the_test_part_is_read_once_and_by_no_choice(done: JointRun) -> None:
    assert [r.key for r in done.records if r.part == "test"] == ["test"]
    order = [r.key for r in done.records]
    assert order.index("verdict") < order.index("test") < order.index("bundle")


def test_a_trained_trunk_is_handed_back_as_it_was_judged(trained: None, table: Path, tmp_path: Path) -> None:
    found = run(table, tmp_path / "run")
    assert found.verdict.chosen == "joint"
    bundle, kept = (load_file(found.folder / name) for name in ("model.safetensors", "work/joint-model.safetensors"))
    assert bundle.keys() == kept.keys() and all(np.array_equal(bundle[name], kept[name]) for name in kept)
    frozen = rebuild(found.folder).backbone.fingerprint("top") == load(BACKBONE, size=32).fingerprint("top")
    assert not frozen
    split = json.loads((found.folder / "split.json").read_text())
    assert len(learned_by(f"run:{found.folder}") or ()) == len({Path(path).read_bytes() for path in split["train"]})
    costs = found.records.get("costs")
    assert costs is not None
    assert costs.metrics["one"]["joint"]["parameters"] < 0.51 * costs.metrics["separate"]["parameters"]
    assert "Train together" in found.report.read_text()


STAGES = [
    ("heads for even", 1),
    ("Trained for digit alone", 5),
    ("Trained together", 9),
    ("timing the networks", 1),
    ("writing the bundle", 0),
]


@pytest.mark.parametrize(("stage", "reached"), STAGES, ids=[stage for stage, _ in STAGES])
def test_an_interrupted_run_ends_with_the_same_bits(
    done: JointRun, table: Path, tmp_path: Path, stage: str, reached: int
) -> None:
    def stopping(at: str, done: int, total: int) -> None:
        if at == stage and done >= reached:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(table, tmp_path / "run", progress=stopping)
    before = [record.to_json() for record in Journal(tmp_path / "run" / "records.jsonl")]
    seen: list[str] = []
    again = run(table, tmp_path / "run", progress=lambda at, *_: seen.append(at))
    assert [(again.folder / name).read_bytes() for name in FILES] == [(done.folder / n).read_bytes() for n in FILES]
    assert [record.to_json() for record in again.records][: len(before)] == before
    assert told(again) == told(done)
    finished = {json.loads(line)["key"] for line in before}
    assert not ("alone/digit" in finished and "Trained for digit alone" in seen)


def told(found: JointRun) -> dict[str, Any]:
    """Return what must not depend on the clock."""
    return {
        r.key: [r.strategy, r.recipe, r.metrics, r.detail] for r in found.records if r.what in ("candidate", "verdict")
    }


def test_a_finished_run_is_not_repeated_and_another_question_is_refused(
    done: JointRun, table: Path, digits_folder: Path
) -> None:
    stages: list[str] = []
    assert run(table, done.folder, progress=lambda at, *_: stages.append(at)).verdict == done.verdict and not stages
    with pytest.raises(RunError, match="another run"):
        run(table, done.folder, labels=["even", "digit"])
    with pytest.raises(RunError, match="another command"):
        fitting.fit(digits_folder, done.folder, backbones=[BACKBONE], size=32)


def test_page_and_explanation_come_from_the_records_alone(done: JointRun) -> None:
    page = done.report.read_text()
    assert draw(done.folder) == done.report and done.report.read_text() == page
    assert "Task by task" in page and "headstart joint" in page
    assert {one["strategy"]: one["chosen"] for one in explain(done.folder)} == {
        "frozen": True,
        "alone/digit": False,
        "alone/even": False,
        "joint": False,
    }


def test_its_network_is_a_backbone_like_any(done: JointRun, digits_folder: Path, tmp_path: Path) -> None:
    found = fitting.fit(
        digits_folder, tmp_path / "next", backbones=[f"run:{done.folder}"], size=32, budget=60, strategy="probe"
    )
    assert found.records.get("final").backbone == f"run:{done.folder}"  # type: ignore[union-attr]


def test_one_item_stays_on_one_side_for_all_tasks(table: Path, tmp_path: Path) -> None:
    header, *rows = table.read_text().splitlines()
    grouped = tmp_path / "grouped.csv"
    grouped.write_text("\n".join([f"{header},group", *(f"{row},{i // 4}" for i, row in enumerate(rows))]) + "\n")
    found = run(grouped, tmp_path / "run", epochs=1)
    parts = json.loads((found.folder / "split.json").read_text())
    side = {name: part for part in ("train", "val", "test") for name in parts[part]}
    names = [row.split(",")[0] for row in rows]
    assert all(len({side[n] for n in names[i : i + 4]}) == 1 for i in range(0, len(names), 4))


def test_too_few_labels_are_refused_before_anything_is_written(table: Path, tmp_path: Path) -> None:
    header, *rows = table.read_text().splitlines()
    few = tmp_path / "few.csv"

    def asked(of: Callable[[int], str]) -> str:
        few.write_text("\n".join([f"{header},few", *(f"{row},{of(i)}" for i, row in enumerate(rows))]) + "\n")
        with pytest.raises(DataError, match=r"few of .*few\.csv") as caught:
            run(few, tmp_path / "run", labels=["digit", "few"])
        assert not list((tmp_path / "run").iterdir())
        return str(caught.value)

    assert "fewer than 3 usable images in b (2)" in asked(lambda i: "b" if i < 2 else "a")
    assert "too few labels" in asked(lambda i: "ab"[i % 2] if i < 6 else "")
    with pytest.raises(OptionError, match="epochs"):
        run(table, tmp_path / "run", epochs=0)


def test_strata_are_large_enough_and_take_rare_combinations_apart() -> None:
    rng = np.random.default_rng(0)
    y = np.stack([rng.integers(-1, 9, 300), rng.integers(-1, 9, 300), rng.integers(0, 9, 300)], axis=1)
    found = strata(y)
    assert np.bincount(found).min() >= 3
    assert (strata(y[:, 2:]) == y[:, 2]).all()
    assert strata(np.array([[0, 1], [1, 0], [2, 2]])).tolist() == [0, 0, 0]
