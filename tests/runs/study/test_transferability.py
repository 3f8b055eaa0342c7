"""The laboratory on small real digits: what each treatment trains, who learns from what, resumed, and its page."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from headstart import study
from headstart.backbones import Transferred
from headstart.cli.main import app
from headstart.data import RowStore
from headstart.data.batches import Batches, Steps
from headstart.errors import BackboneError, DataError, OptionError, RunError
from headstart.features import Passing
from headstart.objectives import CrossEntropy
from headstart.problem import labelled_arrays, read_labelled
from headstart.records import Journal, Record
from headstart.report import draw
from headstart.runs.context import Context, kept_arrays
from headstart.runs.side_by_side import SideBySide
from headstart.runs.study import cells as cells_
from headstart.runs.study import timing
from headstart.runs.study.cells import Job, begun, kept_network, train_cell
from headstart.runs.study.laboratory import Cell, Laboratory, Sides
from headstart.runs.study.scheduling import FEWEST_EPOCHS, Schedule, schedule
from headstart.runs.study.tasks import Tasks, halved
from headstart.runs.study.timing import Costs, Trial
from headstart.runs.study.transferability_study import TransferabilityStudy
from headstart.runs.study.transplanting import Transplanting
from headstart.strategies import TREATMENTS
from headstart.training import score

CUTS = ("layers.conv1", "layers.conv4", "layers.fc7")
ASKED: dict[str, Any] = {
    "splits": ("random", "names"),
    "seeds": 2,
    "cuts": CUTS,
    "labels": (4,),
    "epochs": 1,
    "reference": "random/test_resnet",
    "jobs": 1,
    "device": "cpu",
}
SMALL: dict[str, Any] = ASKED | {"splits": ("random",), "seeds": 1, "labels": (), "cuts": CUTS[:2]}
OPTIONS = Transplanting(
    data="arrays",
    backbones=("random/plain_alexnet",),
    seed=0,
    size=32,
    split=(0.7, 0.1, 0.2),
    device="cpu",
    budget=3600.0,
    architecture="plain_alexnet",
    splits=("random", "dissimilar"),
    seeds=5,
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> TransferabilityStudy:
    """Return a finished study."""
    return study.transferability(_digits, tmp_path_factory.mktemp("lab") / "run", **ASKED)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, _digits: Path) -> TransferabilityStudy:
    """Return a finished study of one seed, whose networks were trained one after the other."""
    return study.transferability(_digits, tmp_path_factory.mktemp("small") / "run", **SMALL)


@pytest.fixture
def lab(_digits: Path, tmp_path: Path) -> Laboratory:
    """Return a laboratory without a study."""
    return opened(_digits, tmp_path)


def opened(data: Path, folder: Path, **options: Any) -> Laboratory:
    """Open a laboratory on these images."""
    context = Context(
        folder,
        Journal(folder / "records.jsonl"),
        replace(OPTIONS, **options),
        folder / "cache",
        torch.device("cpu"),
        lambda *_: None,
        lambda _: None,
    )
    return Laboratory.opened(context, read_labelled(data))


@pytest.mark.slow
def test_every_treatment_is_run_at_every_cut_in_both_directions(done: TransferabilityStudy) -> None:
    found = {record.key for record in done.records.of("cell") if record.detail["n"]}
    assert found == {
        f"cell/{kind}/{seed}/{target}/{labels}/{n}/{name}"
        for kind in ("random", "names")
        for seed in (0, 1)
        for target in "AB"
        for labels in (0, 4)
        for n in (1, 4, 7)
        for name in TREATMENTS
    }
    assert [record.key for record in done.records.of("trial")] == ["trial/0.0003", "trial/0.001", "trial/0.003"]
    assert not (done.folder / "work").exists()


@pytest.mark.slow
def test_the_document_has_the_layers_that_are_kept_and_the_images_that_are_judged(done: TransferabilityStudy) -> None:
    cells = done.to_json()["cells"]
    assert [cell["n"] for cell in cells] == [record.detail["n"] for record in done.records.of("cell")]
    assert {cell["n"] for cell in cells} == {0, *done.plan["cuts"].values()}
    assert [cell["judged"] for cell in cells] == [record.metrics["n"] for record in done.records.of("cell")]


@pytest.mark.slow
def test_all_networks_take_the_same_steps_at_a_rate_chosen_on_a_base(done: TransferabilityStudy) -> None:
    rate = done.records.get("rate")
    cells, plan = done.records.of("cell"), done.plan
    assert {(one.recipe["steps"], one.recipe["lr"]) for one in cells} == {(plan["steps"], rate.metrics["rate"])}
    best = max(rate.detail["tried"], key=lambda one: (one["value"], -one["loss"]))
    assert best["rate"] == rate.metrics["rate"]
    few = {record.detail["images"] for record in cells if record.detail["labels"]}
    assert few == {8}


@pytest.mark.parametrize(("images", "size", "steps"), [(600, 64, 10), (250, 64, 10), (40, 32, 7), (700, 32, 3)])
def test_few_images_and_many_take_the_same_steps(images: int, size: int, steps: int) -> None:
    rows = np.arange(images)
    stream = Batches(lambda i: i, lambda i: torch.as_tensor(i), rows, rows, size)
    found = Steps(stream, steps)
    assert len(found) == steps
    epochs = [[batch.x.tolist() for batch in found.shuffled(e, seed=0, augmentation=None)] for e in (1, 2)]
    assert [len(epoch) for epoch in epochs] == [steps, steps] and epochs[0] != epochs[1]
    rounds = min(steps, len(stream))
    assert len({i for batch in epochs[0][:rounds] for i in batch}) == sum(map(len, epochs[0][:rounds]))


@pytest.mark.slow
def test_halves_share_no_class_and_only_random_ones_are_drawn_anew(done: TransferabilityStudy) -> None:
    halves = {record.key: (record.detail["A"], record.detail["B"]) for record in done.records.of("halves")}
    assert halves["halves/names/0"] == halves["halves/names/1"] == (["0", "1"], ["3", "4"])
    assert halves["halves/random/0"] != halves["halves/random/1"]
    assert all(not set(a) & set(b) for a, b in halves.values())
    assert all(record.metrics["distance"] > 0 for record in done.records.of("halves"))


@pytest.mark.slow
def test_effects_are_differences_to_the_base_of_the_same_half_seed_and_labels(done: TransferabilityStudy) -> None:
    value = {record.key: record.metrics["value"] for record in done.records.of("cell")}
    (drop,) = (one for one in done.records.get("verdict").detail["parts"]["names"]["4"]["drops"] if one["n"] == 7)
    by_seed = [
        np.mean([value[f"cell/names/{s}/{t}/4/7/AnB"] - value[f"cell/names/{s}/{t}/4/0/base"] for t in "AB"])
        for s in (0, 1)
    ]
    assert drop["loss"]["value"] == pytest.approx(np.mean(by_seed))
    assert all(one.word == "not shown" for one in done.findings)


@pytest.mark.slow
def test_a_stopped_study_goes_on_and_ends_with_the_same_table(
    small: TransferabilityStudy, _digits: Path, tmp_path: Path
) -> None:
    stops = ["halves/random/0", "trial/0.001", "cell/random/0/B/0/0/base", "cell/random/0/B/0/4/AnB+"]

    def stop(record: Record) -> None:
        if stops and record.key == stops[0]:
            stops.pop(0)
            raise KeyboardInterrupt

    while stops:
        with pytest.raises(KeyboardInterrupt):
            study.transferability(_digits, tmp_path / "run", on_record=stop, **SMALL)
    resumed = study.transferability(_digits, tmp_path / "run", **SMALL)
    told = [_measured(one) for one in (small, resumed)]
    assert told[0] == told[1]
    with pytest.raises(RunError, match="seeds: 1 there, 3 now"):
        study.transferability(_digits, tmp_path / "run", **(SMALL | {"seeds": 3}))
    assert study.transferability(_digits, tmp_path / "run", **(SMALL | {"jobs": 2})).sentence == small.sentence


@pytest.mark.slow
def test_it_does_not_go_on_with_other_images(digits_folder: Path, tmp_path: Path) -> None:
    def stop(record: Record) -> None:
        if record.what == "trial":
            raise KeyboardInterrupt

    asked = ASKED | {"splits": ("random",), "seeds": 1, "labels": ()}
    with pytest.raises(KeyboardInterrupt):
        study.transferability(digits_folder, tmp_path / "run", on_record=stop, **asked)
    next((digits_folder / "0").iterdir()).unlink()
    with pytest.raises(RunError, match="have changed"):
        study.transferability(digits_folder, tmp_path / "run", **asked)


def _measured(found: TransferabilityStudy) -> dict[str, Any]:
    kinds = ("cell", "halves", "rate", "verdict", "data")
    return {r.key: (r.metrics, r.detail) for r in found.records if r.what in kinds}


@pytest.mark.slow
def test_networks_side_by_side_have_the_same_bits(small: TransferabilityStudy, _digits: Path, tmp_path: Path) -> None:
    two = study.transferability(_digits, tmp_path / "two", **(SMALL | {"jobs": 2}))
    assert _measured(small) == _measured(two)


@pytest.mark.slow
def test_a_study_of_two_networks_at_a_time_that_is_killed_ends_with_the_same_table(
    small: TransferabilityStudy, _digits: Path, tmp_path: Path
) -> None:
    words = ["study", "transferability", _digits, "--out", tmp_path / "run", "--split", "random", "--seeds", 1]
    words += ["--epochs", 1, "--reference", SMALL["reference"], "--jobs", 2, "--device", "cpu"]
    words += [word for cut in SMALL["cuts"] for word in ("--cut", cut)]
    command = [sys.executable, "-W", "ignore", "-m", "headstart", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and len(_transplanted(tmp_path / "run")) < 5:
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    done = _transplanted(tmp_path / "run")
    assert 5 <= len(done) < len(_transplanted(small.folder)), "it was not killed in the middle"
    resumed = study.transferability(_digits, tmp_path / "run", **SMALL)
    assert _measured(resumed) == _measured(small)


def _transplanted(folder: Path) -> list[str]:
    """Networks that were given layers, and are done."""
    return [record.key for record in Journal(folder / "records.jsonl").of("cell") if record.detail["n"]]


@pytest.mark.slow
def test_the_page_is_drawn_from_the_records_alone(done: TransferabilityStudy) -> None:
    page = done.report.read_text()
    for words in ("What is lost and gained", "Finding by finding", "With fewer labels", "The two tasks", "by depth"):
        assert words in page
    assert done.records.get("verdict").detail["plateau"]["says"] in page
    draw(done.folder)
    assert done.report.read_text() == page
    lines = (done.folder / "records.jsonl").read_text().splitlines(keepends=True)
    unfinished = done.folder.parent / "unfinished"
    unfinished.mkdir()
    (unfinished / "records.jsonl").write_text("".join(lines[: len(lines) // 2]))
    draw(unfinished)
    assert "not finished" in (unfinished / "report.html").read_text()


@pytest.mark.slow
def test_the_command_says_it_in_one_document_and_in_tables(done: TransferabilityStudy, _digits: Path) -> None:
    words = ["study", "transferability", _digits, "--out", done.folder, "--split", "random", "--split", "names"]
    words += ["--seeds", 2, "--labels", "4", "--epochs", 1, "--reference", "random/test_resnet", "--jobs", 1]
    words += [word for cut in CUTS for word in ("--cut", cut)] + ["--device", "cpu"]
    told = CliRunner().invoke(app, [str(word) for word in [*words, "--json"]])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert document["verdict"]["sentence"] == done.sentence and len(document["halves"]) == 4
    told = CliRunner().invoke(app, [str(word) for word in words])
    assert done.sentence in told.output and "Specialisation" in told.output


def test_a_dry_run_says_what_it_takes_and_writes_nothing(_digits: Path, tmp_path: Path) -> None:
    words = ["study", "transferability", _digits, "--out", tmp_path / "run", "--dry-run", "--split", "random"]
    told = CliRunner().invoke(app, [str(word) for word in [*words, "--epochs", 2, "--jobs", 1]])
    assert told.exit_code == 0, told.output
    assert "in all" in told.output and "the bases" in told.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_keeps_and_trains_what_it_says(name: str, lab: Laboratory) -> None:
    row, cut = TREATMENTS[name], "layers.conv4"
    tasks = Tasks(lab, {("random", 0): halved(lab, "random", seed=0, means=lambda: np.empty(0))})
    cell = Cell("random", 0, "B", 0, name, 4, cut)
    for one in {cell.base, cell.source} - {None}:
        train_cell(lab, Job(one, tasks.sides(one), 1, 2, 32, 3e-3))
    model = begun(lab, Job(cell, tasks.sides(cell), 1, 2, 32, 3e-3))
    source = kept_network(lab, cell.source) if cell.source else None
    drawn = begun(lab, Job(replace(cell, treatment="random"), tasks.sides(cell), 1, 2, 32, 3e-3)).backbone
    assert _same(model.backbone.lower(cut), (source or drawn).lower(cut))
    assert cell.source is None or cell.source.target == ("A" if row.lower == "other" else "B")
    # What is above is drawn anew: it is nobody's, and the same for every treatment.
    base = kept_network(lab, cell.base)
    assert _same(model.backbone.upper(cut), drawn.upper(cut)) and not _same(model.backbone.upper(cut), base.upper(cut))
    before = {key: tensor.clone() for key, tensor in model.backbone.lower(cut).state_dict().items()}
    fixed = model.fixed_digest()
    _steps(model)
    moved = any(not torch.equal(before[key], tensor) for key, tensor in model.backbone.lower(cut).state_dict().items())
    assert moved is not row.frozen and model.fixed_digest() == fixed


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def _steps(model: torch.nn.Module) -> None:
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.rand(8, 3, 32, 32)), torch.arange(8) % 2).backward()
        optimizer.step()


def test_the_frozen_part_runs_once_and_the_network_is_the_one_that_images_give(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks(lab, {("random", 0): halved(lab, "random", seed=0, means=lambda: np.empty(0))})
    cell = Cell("random", 0, "B", 0, "random", 4, "layers.conv4")
    job = Job(cell, tasks.sides(cell), 3, 2, 32, 3e-3)
    made, passed = [], []

    def predict(model: Any, batches: Any) -> np.ndarray:
        made.append(model)
        return np.zeros((len(batches.y), 2))

    def lower(model: Any, images: Any, **_: Any) -> Passing:
        return Passing(images, model.backbone.lower(model.frozen).eval())

    monkeypatch.setattr(cells_, "predict_logits", predict)
    own = Passing._through
    monkeypatch.setattr(Passing, "_through", lambda self, batch: passed.append(len(batch.y)) or own(self, batch))
    train_cell(lab, job)
    assert not passed
    monkeypatch.setattr(cells_, "activations", lower)
    train_cell(lab, job)
    assert len(passed) > 3 * job.steps
    assert _same(made[0], made[1])


@pytest.mark.slow
def test_all_networks_of_a_half_and_a_seed_read_the_same_images_in_the_same_order(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = halved(lab, "random", seed=0, means=lambda: np.empty(0))
    tasks = Tasks(lab, {("random", seed): halves for seed in (0, 1)})
    read: list[list[int]] = []
    learned, own = CrossEntropy.forward, Batches.order

    def order(self: Batches, epoch: int, *, seed: int) -> list[np.ndarray]:
        found = own(self, epoch, seed=seed)
        read.extend(self.indices[part].tolist() for part in found)
        return found

    def forward(self: CrossEntropy, model: Any, batch: Any, progress: float) -> Any:
        read.append(batch.y.tolist())
        return learned(self, model, batch, progress)

    def trained(cell: Cell) -> list[list[int]]:
        read.clear()
        train_cell(lab, Job(cell, tasks.sides(cell), 2, 3, 16, 3e-3))
        return list(read)

    monkeypatch.setattr(Batches, "order", order)
    monkeypatch.setattr(CrossEntropy, "forward", forward)
    bases = [trained(Cell("random", seed, target)) for seed in (0, 1) for target in "AB"]
    of_b = [
        trained(Cell("random", 0, "B", 0, name, n, cut))
        for n, cut in ((1, CUTS[0]), (7, CUTS[2]))
        for name in ("AnB", "BnB", "AnB+")
    ]
    assert len(of_b[0]) >= 2 * 2 * 3 and all(one == bases[1] for one in of_b)
    assert bases[1] != bases[3] and bases[0] != bases[1]


def test_a_frozen_network_that_is_stopped_between_epochs_goes_on_with_what_was_stored(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks(lab, {("random", 0): halved(lab, "random", seed=0, means=lambda: np.empty(0))})
    cell = Cell("random", 0, "B", 0, "AnB", 4, "layers.conv4")
    assert cell.source is not None
    train_cell(lab, Job(cell.source, tasks.sides(cell.source), 1, 2, 32, 3e-3))
    job = Job(cell, tasks.sides(cell), 4, 2, 32, 3e-3, keep=True)
    whole, weights = train_cell(lab, job), kept_arrays(lab.kept(cell))
    lab.kept(cell).unlink()
    seen: list[int] = []

    def stopping(model: Any, batches: Any) -> Any:
        seen.append(len(seen))
        if len(seen) > 2:  # as it begins, after the first epoch, and now
            raise KeyboardInterrupt
        return score(model, batches)

    with monkeypatch.context() as patch:
        patch.setattr(cells_, "score", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_cell(lab, job)
    assert list((lab.folder / "work").rglob("training.safetensors")) and not lab.kept(cell).exists()
    monkeypatch.setattr(RowStore, "put", lambda *_: pytest.fail("the frozen part ran again"))
    resumed = train_cell(lab, job)
    assert (resumed.metrics, resumed.detail) == (whole.metrics, whole.detail)
    again = kept_arrays(lab.kept(cell))
    assert weights.keys() == again.keys() and all(np.array_equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit"])
def test_random_layers_give_numbers_of_a_common_size(architecture: str, _digits: Path, tmp_path: Path) -> None:
    lab = opened(_digits, tmp_path, architecture=architecture)
    tasks = Tasks(lab, {("random", 0): halved(lab, "random", seed=0, means=lambda: np.empty(0))})
    last = begun(lab, Job(Cell("random", 0, "A"), tasks.sides(Cell("random", 0, "A")), 1, 2, 32, 1e-3)).backbone.cuts[
        -2
    ]
    cell = Cell("random", 0, "A", 0, "random", 4, last)
    model = begun(lab, Job(cell, tasks.sides(cell), 1, 2, 32, 1e-3)).eval()
    with torch.no_grad():
        z = model.features(model.backbone.preprocessing.tensor(lab.survey.pixels(tasks.sides(cell).judged)))
    assert 0.1 < float(z.std()) < 5
    assert model.frozen == last


def test_images_that_the_rate_is_chosen_by_are_judged_in_no_seed(lab: Laboratory) -> None:
    parts = [lab.parts(seed) for seed in range(4)]
    assert all(one.val.tolist() == parts[0].val.tolist() for one in parts)
    assert len({tuple(one.test.tolist()) for one in parts}) == 4
    assert not any(set(one.val) & set(other.test) for one in parts for other in parts)


def test_a_test_part_that_is_given_is_that_of_every_seed_and_shares_no_group(tmp_path: Path, _digits: Path) -> None:
    names = sorted(_digits.glob("*/*.png"))
    rows = [(p, p.parent.name, "test" if i % 6 == 0 else "train", f"g{i % 20}") for i, p in enumerate(names)]
    table = tmp_path / "table.csv"
    table.write_text("path,label,split,group\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    lab = opened(table, tmp_path / "lab")
    groups, given = np.array(lab.labelled.x.groups), np.array(lab.labelled.parts)
    for seed in range(3):
        parts = lab.parts(seed)
        assert parts.test.tolist() == np.flatnonzero(given == "test").tolist()
        assert not set(groups[parts.train]) & set(groups[parts.test]) and len(parts.aside)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_groups_are_too_few(count: int, tmp_path: Path, _digits: Path) -> None:
    names = sorted(_digits.glob("*/*.png"))
    table = tmp_path / "table.csv"
    table.write_text("path,label,group\n" + "".join(f"{p},{p.parent.name},g{i % count}\n" for i, p in enumerate(names)))
    with pytest.raises(DataError, match="too few"):
        opened(table, tmp_path / "lab").parts(0)


def test_groups_of_the_user_stay_together_and_copies_across_them_are_set_aside(tmp_path: Path, _digits: Path) -> None:
    names = sorted(_digits.glob("*/*.png"))
    rows = [(path, path.parent.name, f"g{i % 12}") for i, path in enumerate(names)]
    rows.append((names[0], names[0].parent.name, "g1"))  # a copy of an image of g0
    table = tmp_path / "table.csv"
    table.write_text("path,label,group\n" + "".join(f"{path},{label},{group}\n" for path, label, group in rows))
    lab = opened(table, tmp_path / "lab")
    groups = np.array(lab.labelled.x.groups)
    (copies,) = (group for group in lab.duplicates.exact if len(set(groups[list(group)])) > 1)
    for seed in range(4):
        parts = lab.parts(seed)
        sides = [set(groups[side]) for side in (parts.train, parts.val, parts.test)]
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        where = {name for name in ("train", "val", "test") if set(copies) & set(getattr(parts, name).tolist())}
        assert len(where) == 1, "copies stand on two sides"


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        (10_000.0, (5, (10,), 2)),
        (500.0, (5, (10,), 2)),
        (80.0, (3, (10,), 2)),
        (40.0, (3, (), 2)),
        (20.0, (3, (), 1)),
        (10.0, (1, (), 1)),
    ],
)
def test_a_smaller_budget_leaves_out_seeds_then_labels_then_splits(
    budget: float, left: tuple[int, tuple[int, ...], int]
) -> None:
    found = _scheduled(budget)
    assert (len(found.seeds), found.labels, len(found.splits)) == left
    assert found.epochs >= FEWEST_EPOCHS
    assert sum(found.seconds.values()) <= budget or found.epochs == FEWEST_EPOCHS
    assert len(found.notes) == sum(kept != asked for kept, asked in zip(left, (5, (10,), 2), strict=True))


def test_steps_are_timed_with_as_many_at_a_time_as_will_run(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[int] = []
    there_when_timed: list[int] = []

    class Threads(SideBySide[tuple[Laboratory, Any]]):
        """Units in threads of this process, which start one after the other."""

        def each(self, work: Any, units: Any) -> Iterator[Any]:
            def late(number: int) -> Any:
                time.sleep(0.2 * number)
                there.append(number)
                return work(self._shared, units[number])

            with ThreadPoolExecutor(len(units)) as pool:
                yield from pool.map(late, range(len(units)))

    def timed(run: Any, device: torch.device) -> float:
        there_when_timed.append(len(there))
        return 1.0

    monkeypatch.setattr(timing, "SideBySide", lambda shared, *, jobs: Threads(shared, jobs=1))
    monkeypatch.setattr(timing, "_timed", timed)
    sides = lab.sides(lab.parts(0), range(2), labels=0, seed=0)
    found = timing.calibrate(lab, Trial(sides, 32, ()), jobs=3)
    assert set(there_when_timed) == {3} and found.step == {"": 2.0}, "reading the images, and a step"


def test_an_epoch_is_timed_of_a_network_that_trains_as_a_whole(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    still: list[int] = []

    def epoch(_: Laboratory, trial: Trial, model: Transferred) -> float:
        still.append(sum(not parameter.requires_grad for parameter in model.parameters()))
        return found(lab, trial, model)

    found = timing._epoch_s
    monkeypatch.setattr(timing, "_epoch_s", epoch)
    sides = lab.sides(lab.parts(0), range(2), labels=0, seed=0)
    costs = timing.measure((lab, Barrier(1)), Trial(sides, 8, ("layers.conv1", "layers.conv4")))  # type: ignore[arg-type]
    assert still == [0] and 0 <= costs.epoch < 60


def test_a_budget_that_is_too_small_for_anything_says_so() -> None:
    found = _scheduled(1.0)
    assert (len(found.seeds), len(found.splits), found.epochs) == (1, 1, FEWEST_EPOCHS)
    assert "too small" in found.notes[0]


def test_a_plan_read_back_from_its_record_is_the_same() -> None:
    found = _scheduled(200.0)
    assert Schedule.from_json(json.loads(json.dumps(asdict(found)))) == found


def _scheduled(budget: float) -> Schedule:
    options = replace(OPTIONS, budget=budget, labels=(10,), jobs=2)
    cuts = {"layers.conv1": 1, "layers.conv4": 4}
    step = {"": 2e-3, "layers.conv1": 1e-3, "layers.conv4": 5e-4}
    costs = Costs(step, {"": 1e-5, "layers.conv1": 5e-6, "layers.conv4": 8e-6}, 5e-3, 0.2)
    n = np.arange(640)
    sides = Sides(n, n[:64], n[:128], np.zeros(2, int))
    return schedule(options, costs, sides, cuts, steps=10, batch=64)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"splits": ("nowhere.csv",)}, OptionError, "nowhere.csv cannot be read"),
        ({"splits": ("random", "random")}, OptionError, "called random"),
        ({"splits": ()}, OptionError, "must be named once"),
        ({"seeds": 0}, OptionError, "0 seeds are out of range"),
        ({"cuts": ("layers.conv9",)}, OptionError, "no cut layers.conv9"),
        ({"labels": (0,)}, OptionError, "teach nothing"),
        ({"epochs": 0}, OptionError, "0 epochs are out of range"),
        ({"jobs": -1}, OptionError, "at a time"),
        ({"architecture": "no_such_network"}, BackboneError, "no backbone named"),
        ({"reference": "packaged/*"}, OptionError, "names 3 backbones"),
        ({"labels": (500,)}, OptionError, "No class has more than"),
    ],
)
def test_questions_that_cannot_be_asked(
    options: dict[str, Any], error: type[Exception], said: str, _digits: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        study.transferability(_digits, tmp_path / "run", **(ASKED | options))
    assert not (tmp_path / "run" / "records.jsonl").exists()


def test_a_table_with_the_name_of_a_kind_is_refused(_digits: Path, tmp_path: Path) -> None:
    (tmp_path / "random.csv").write_text("class,half\n0,A\n1,A\n2,B\n3,B\n")
    with pytest.raises(OptionError, match="name of a kind"):
        study.transferability(_digits, tmp_path / "run", **(ASKED | {"splits": (str(tmp_path / "random.csv"),)}))


def test_every_split_is_read_before_anything_is_written(_digits: Path, tmp_path: Path) -> None:
    asked = ASKED | {"splits": ("random", "nowhere.csv")}
    for dry_run in (True, False):
        with pytest.raises(OptionError, match=r"nowhere\.csv cannot be read"):
            study.transferability(_digits, tmp_path / "run", dry_run=dry_run, **asked)
    assert not (tmp_path / "run" / "records.jsonl").exists()


@pytest.mark.slow
def test_classes_of_five_images_are_seen_to_the_end(digits_folder: Path, tmp_path: Path) -> None:
    for folder in digits_folder.iterdir():
        for path in sorted(folder.iterdir())[4:]:
            path.unlink()
    asked = ASKED | {"splits": ("random",), "seeds": 1, "labels": (), "cuts": CUTS[1:]}
    found = study.transferability(digits_folder, tmp_path / "run", **asked)
    assert found.records.get("inside").detail["within"][0][0] is None
    assert "Features by depth" in found.report.read_text()


def test_a_class_of_broken_images_is_named(digits_folder: Path, tmp_path: Path) -> None:
    for path in (digits_folder / "3").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="3"):
        study.transferability(digits_folder, tmp_path / "run", **(ASKED | {"splits": ("dissimilar",)}))


def test_a_given_part_without_images_of_a_half_is_refused(tmp_path: Path, _digits: Path) -> None:
    names = sorted(_digits.glob("*/*.png"))
    rows = [
        (p, p.parent.name, "test" if i % 6 == 0 and p.parent.name in "01" else "train") for i, p in enumerate(names)
    ]
    table = tmp_path / "table.csv"
    table.write_text("path,label,split\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(DataError, match="no image is left to judge on"):
        study.transferability(table, tmp_path / "run", **(ASKED | {"splits": ("names",)}))


def test_three_classes_are_too_few(_digits: Path, tmp_path: Path) -> None:
    x = np.zeros((30, 8, 8, 3), np.uint8)
    x += np.arange(30, dtype=np.uint8)[:, None, None, None] * 8
    labelled = labelled_arrays(x, np.arange(30) % 3)
    with pytest.raises(DataError, match="nothing to tell apart"):
        study.transferability(labelled, tmp_path / "run", **(ASKED | {"splits": ("random",)}))


def test_arrays_are_taken_too(_digits: Path, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    x = np.repeat((data.images[:200] * 15).astype(np.uint8)[..., None], 3, axis=3)
    asked: dict[str, Any] = ASKED | {"splits": ("random",), "seeds": 1, "labels": (), "cuts": CUTS[2:]}
    found = study.transferability(labelled_arrays(x, data.target[:200]), tmp_path / "run", **asked)
    assert len([one for one in found.records.of("cell") if one.detail["n"]]) == 2 * len(TREATMENTS)
