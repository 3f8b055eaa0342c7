"""The main job from folder to bundle, on real digits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.advice.plan import FOLDS
from headstart.backbones import Backbone
from headstart.errors import DataError, OptionError, RunError, StorageError
from headstart.records import Journal, Record
from headstart.report import explain
from headstart.runs import probing
from headstart.runs.context import kept_arrays, kept_predictions
from headstart.runs.fit import fit
from headstart.runs.run import Run
from headstart.strategies import FAMILIES, TABLE
from headstart.training import finetune
from headstart.training.rate import STEPS

Fit = Callable[..., Run]


def journal(run: Path) -> Journal:
    return Journal(run / "records.jsonl")


@pytest.mark.slow
def test_a_finished_run_holds_everything(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        "records.jsonl",
        "split.json",
        "config.json",
        "model.safetensors",
        "graph.xml",
        "graph.bin",
        "metrics.json",
        "README.md",
        "report.html",
    }
    assert not list(finished.rglob(".*"))
    records = list(journal(finished))
    assert records[0].what == "plan"
    assert [r.what for r in records].count("test") == 1
    assert records[-1].what == "spent"
    assert {r.strategy for r in journal(finished).of("candidate")} == set(FAMILIES["auto"])
    test = journal(finished).get("test")
    assert test is not None
    assert json.loads((finished / "metrics.json").read_text()) == test.metrics


@pytest.mark.slow
def test_the_split_is_written_down_and_nothing_is_on_two_sides(finished: Path) -> None:
    split = json.loads((finished / "split.json").read_text())
    parts = [set(split[name]) for name in ("train", "val", "test", "aside")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 120
    assert all(parts[:3])


@pytest.mark.slow
def test_the_test_part_is_predicted_by_the_final_model_alone(finished: Path) -> None:
    split = json.loads((finished / "split.json").read_text())
    readers = []
    for path in (finished / "work").glob("*predictions.safetensors"):
        indices, shares = kept_predictions(path)
        assert np.allclose(shares.sum(1), 1, atol=1e-5)
        if len(set(indices)) == len(split["test"]) and path.name.startswith("test"):
            readers.append(path.name)
    assert readers == ["test-predictions.safetensors"]
    judged = sorted(kept_predictions(finished / "work" / "probe-predictions.safetensors")[0])
    tested = sorted(kept_predictions(finished / "work" / "test-predictions.safetensors")[0])
    assert not set(judged) & set(tested)


@pytest.mark.slow
def test_the_verdict_follows_from_the_records(finished: Path) -> None:
    verdict = journal(finished).get("verdict")
    assert verdict is not None
    records = {r.strategy: r for r in journal(finished).of("candidate")}
    values = {name: r.metrics["value"] for name, r in records.items() if not r.detail["dropped"]}
    transferred = {name: value for name, value in values.items() if not TABLE[name].control}
    assert values[verdict.detail["best"]] == max(transferred.values())
    compared = {pair["b"] for pair in verdict.detail["comparisons"]} | {verdict.detail["best"]}
    assert compared == set(records), "those that were dropped are compared too"
    for pair in verdict.detail["comparisons"]:
        assert pair["low"] <= pair["difference"] <= pair["high"]
        if {pair["a"], pair["b"]} <= set(values):
            assert pair["difference"] == pytest.approx(values[pair["a"]] - values[pair["b"]])


@pytest.mark.slow
def test_the_same_question_again_changes_nothing(small_fit: Fit, tmp_path: Path) -> None:
    first = small_fit(tmp_path / "run", strategy="probe")
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    seen: list[Record] = []
    again = small_fit(tmp_path / "run", strategy="probe", on_record=seen.append)
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == before
    assert again.metrics == first.metrics
    assert {r.key for r in seen} == {r.key for r in first.records}


@pytest.mark.slow
def test_another_question_needs_another_folder(small_fit: Fit, tmp_path: Path, digits_folder: Path) -> None:
    run = small_fit(tmp_path / "run", strategy="probe")
    with pytest.raises(RunError, match="seed"):
        small_fit(tmp_path / "run", strategy="probe", seed=1)
    (run.folder / "records.jsonl").write_bytes((run.folder / "records.jsonl").read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    next((digits_folder / "0").iterdir()).unlink()
    with pytest.raises(RunError, match="changed"):
        small_fit(tmp_path / "run", strategy="probe")


def test_a_folder_of_something_else_is_left_alone(small_fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("dear")
    with pytest.raises(RunError, match="not empty"):
        small_fit(tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter1.txt"]


def test_out_below_a_file_is_refused(small_fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        small_fit(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 8},
        {"metric": "auc"},
        {"margin": -1},
        {"margin": 100},
        {"device": "tpu"},
        {"device": "cuda"},
        {"seed": -1},
        {"strategy": "everything"},
        {"budget": "soon"},
        {"budget": 0},
        {"split": (0.5, 0.0, 0.5)},
        {"split": (0.5, 0.1, 0.1)},
        {"class_weight": "heavy"},
        {"rate": "fast"},
    ],
    ids=str,
)
def test_values_that_an_option_cannot_have(small_fit: Fit, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        small_fit(tmp_path / "run", **wrong)
    assert caught.value.remedy
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_odd_images_are_read_and_broken_ones_named(small_fit: Fit, tmp_path: Path, digits_folder: Path) -> None:
    folder = digits_folder / "0"
    sample = Image.open(next(folder.iterdir())).resize((40, 40))
    sample.convert("P").save(folder / "palette.png")
    sample.convert("LA").save(folder / "alpha.png")
    sample.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.asarray(sample, np.uint16) * 257).save(folder / "sixteen.png")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("not an image")
    whole = next(folder.glob("0*.png")).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    run = small_fit(tmp_path / "run", strategy="probe")
    data = run.records.get("data")
    assert data is not None
    assert {Path(one["path"]).name for one in data.detail["broken"]} == {"empty.png", "notes.txt", "truncated.png"}
    assert data.metrics["broken"] == 3
    assert data.metrics["images"] == 127
    split = json.loads((run.folder / "split.json").read_text())
    assert {Path(path).name for path in split["aside"]} == {"empty.png", "notes.txt", "truncated.png"}
    with pytest.raises(DataError, match="3 such file"):
        small_fit(tmp_path / "strict", strict=True)


def test_an_image_above_the_cap_is_broken(small_fit: Fit, tmp_path: Path, digits_folder: Path) -> None:
    Image.new("L", (300, 300)).save(digits_folder / "0" / "large.png")
    with pytest.raises(DataError, match=r"large\.png"):
        small_fit(tmp_path / "run", strict=True, max_pixels=300 * 299)


@pytest.mark.slow
def test_more_images_than_fit_into_memory_are_drawn_evenly_and_told(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "BESIDE", 2e9 - 32 * 496 * 40)  # room for some dozens of images
    run = small_fit(tmp_path / "run", strategy="probe", memory="2GB")
    probed = run.records.of("probed")[0]
    note = probed.detail["note"]
    assert note.startswith("Heads were fitted to ") and note.endswith("--memory allows no more.")
    few, all_of_them = (int(word) for word in note.split() if word.isdigit())
    assert 10 < few < all_of_them
    assert {record.metrics["n"] for record in run.records.of("probe")} == {few}
    assert note in run.report.read_text()


def test_too_little_memory_is_refused(small_fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"0\.5 GB is too little"):
        small_fit(tmp_path / "run", memory="500MB")


@pytest.mark.parametrize("count", [1, 2])
def test_a_rare_class_is_named(small_fit: Fit, tmp_path: Path, digits_folder: Path, count: int) -> None:
    (digits_folder / "rare").mkdir()
    for i in range(count):
        Image.new("L", (8, 8), 40 * i).save(digits_folder / "rare" / f"{i}.png")
    with pytest.raises(DataError, match="rare") as caught:
        small_fit(tmp_path / "run")
    assert caught.value.remedy


@pytest.mark.slow
def test_a_full_disk_loses_nothing(small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    real, left = os.pwrite, [3]

    def full(descriptor: int, data: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="disk is full"):
        small_fit(tmp_path / "run", strategy="probe")
    assert len(journal(tmp_path / "run")) == 3
    monkeypatch.setattr(os, "pwrite", real)
    assert small_fit(tmp_path / "run", strategy="probe").metrics["n"] > 0


@pytest.mark.slow
def test_with_few_validation_images_candidates_are_judged_out_of_fold(
    small_fit: Fit, folded: None, tmp_path: Path
) -> None:
    made = journal(small_fit(tmp_path / "run", strategy="last_block").folder)
    plan, records = made.get("plan"), made.of("candidate")
    assert plan is not None and plan.detail["folds"] == 3
    assert all(r.part == "folds" and (r.metrics["n"] == 96 or r.detail["dropped"]) for r in records)
    assert any(not r.detail["dropped"] for r in records)


@pytest.mark.slow
def test_so_many_last_blocks_are_fine_tuned_from_folder_to_verdict(small_fit: Fit, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", strategy="last_2")
    probe, record = run.records.of("candidate")
    assert (probe.strategy, record.strategy, record.cut) == ("probe", "last_2", "layer2")
    parts = {part["cut"]: part["training"] for part in record.detail["parts"]}
    assert [cut for cut, training in parts.items() if training] == ["layer3", "layer4", "head"]
    told = explain(run.folder)[-1]
    assert (told["strategy"], told["title"]) == ("last_2", "fine-tuning the last 2 blocks")
    assert run.verdict.chosen in ("probe", "last_2")
    page = (run.folder / "report.html").read_text()
    assert "Fine-tuning the last 2 blocks" in page and "--strategy last_2" in page


def test_more_last_blocks_than_there_are_is_refused_with_their_number(digits_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        fit(digits_folder, tmp_path / "run", backbones=["random/test_resnet"], size=32, strategy="last_9")
    fact = "random/test_resnet: last_9 trains the last 9 blocks of a network, and this one has 4."
    assert caught.value.fact == fact
    assert caught.value.remedy and not (tmp_path / "run" / "records.jsonl").exists()


@pytest.mark.slow
def test_no_test_part_no_test_record(small_fit: Fit, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", strategy="probe", split=(0.7, 0.3, 0.0))
    assert run.records.get("test") is None
    assert run.metrics == {}
    assert run.predictor.predict(np.zeros((1, 8, 8), np.uint8)).shape == (1,)


@pytest.mark.slow
def test_shuffled_labels_transfer_nothing(small_fit: Fit, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (150, 8, 8), dtype=np.uint8)
    run = small_fit(tmp_path / "run", data=(images, np.arange(150) % 3), strategy="probe")
    assert run.verdict.kind == "no_transfer"
    assert run.verdict.transfer in ("cannot_tell", "neutral")
    assert run.metrics["low"] < 1 / 3 < run.metrics["high"]


@pytest.mark.slow
def test_what_a_network_owes_to_being_chosen_on_the_images_that_judge_it_is_taken_off(
    folded: None, small_fit: Fit, tmp_path: Path
) -> None:
    rng, y = np.random.default_rng(1), np.arange(90) % 3
    images = rng.integers(0, 256, (90, 8, 8), dtype=np.uint8)
    networks = [f"random/{name}" for name in ("test_resnet", "test_efficientnet", "test_vit")]
    run = small_fit(tmp_path / "run", data=(images, y), backbones=networks, strategy="probe")
    right = []
    for record in run.records.of("probed"):
        kept = kept_arrays(run.folder / record.detail["predictions"])
        right.append(kept["predicted"] == y[kept["indices"]])
        assert right[-1].mean() == record.metrics["value"] and (kept["indices"] == np.unique(kept["indices"])).all()
    judged = [record.metrics["value"] for record in run.records.of("candidate") if record.strategy == "probe"]
    reached = run.records.get("verdict")
    assert reached is not None and reached.metrics["value"] < judged[0] - 0.01
    alone = small_fit(tmp_path / "alone", data=(images, y), backbones=networks[:1], strategy="probe").records
    judged, reached = [one.metrics["value"] for one in alone.of("candidate")], alone.get("verdict")
    assert reached is not None and reached.metrics["value"] == pytest.approx(max(judged))


@pytest.mark.slow
def test_what_was_asked_for_and_had_no_room_is_named_beside_the_verdict(small_fit: Fit, tmp_path: Path) -> None:
    networks = ["random/test_resnet", "random/test_efficientnet"]
    run = small_fit(tmp_path / "run", backbones=networks, strategy="last_2", budget=1)
    (tried,) = (record.backbone for record in run.records.of("probed"))
    (out,) = (name for name in networks if name != tried)
    assert run.verdict.kind == "freeze"
    for what in (out, TABLE["last_2"].title):
        assert f"The budget had no room for {what}: --budget gives more." in run.verdict.reasons
    assert out in run.report.read_text()
    whole = small_fit(tmp_path / "whole", strategy="last_2")
    assert not any("no room" in reason for reason in whole.verdict.reasons)


@pytest.mark.slow
def test_an_earlier_run_is_a_backbone(small_fit: Fit, finished: Path, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", backbones=[f"run:{finished}"], strategy="probe")
    assert run.records.of("probed")[0].backbone == f"run:{finished}"


@pytest.mark.slow
def test_a_strategy_that_needs_the_sources_classifier_is_refused_where_there_is_none(
    small_fit: Fit, finished: Path, tmp_path: Path
) -> None:
    earlier = f"run:{finished}"
    with pytest.raises(OptionError, match=f"cotuning .* {earlier} has no classifier of the source") as caught:
        small_fit(tmp_path / "named", backbones=[earlier], strategy="cotuning")
    assert caught.value.remedy and not (tmp_path / "named" / "records.jsonl").exists()
    run = small_fit(tmp_path / "every", backbones=["random/test_resnet", earlier], strategy="every", budget=20)
    plan = run.records.get("plan")
    assert plan is not None
    assert [n for n in plan.detail["notes"] if n.startswith("Not tried")] == [
        f"Not tried, since {earlier} has no classifier of the source: {TABLE['cotuning'].title}."
    ]
    assert not any("cotuning" in epochs for epochs in plan.detail["epochs"].values())


@pytest.mark.slow
def test_every_way_to_adapt_runs_from_folder_to_verdict(small_fit: Fit, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", strategy="every", budget=6000)
    candidates = {r.strategy: r for r in run.records.of("candidate")}
    assert set(candidates) == set(TABLE)
    for name, record in candidates.items():
        parts = {part["cut"]: part for part in record.detail["parts"]}
        training = sum(part["training"] for part in parts.values())
        in_buffers = 0 if TABLE[name].trains else parts["head"]["buffers"]
        assert record.detail["trainable"] == training + in_buffers, name
        if TABLE[name].frozen != "all but one block":
            assert (parts["stem"]["training"] == 0) is (TABLE[name].frozen != "nothing"), name
    assert candidates["biases"].detail["trainable"] < candidates["norms"].detail["trainable"]
    assert candidates["l2sp"].recipe["weight_decay"] == 0 < candidates["all"].recipe["weight_decay"]
    assert run.verdict.chosen in TABLE


@pytest.mark.slow
def test_one_block_is_chosen_by_its_gradients_told_and_trained_alone(
    small_fit: Fit, folded: None, tmp_path: Path
) -> None:
    run = small_fit(tmp_path / "run", strategy="surgical")
    (record,) = [r for r in run.records.of("candidate") if r.strategy == "surgical"]
    final = run.records.get("final")
    assert final is not None
    blocks = record.detail["blocks"]
    assert len(blocks) == len(record.detail["curves"])
    assert len(blocks) == FOLDS or record.detail["dropped"]
    for found in blocks:
        assert found["block"] == max(found["gradients"], key=lambda cut: found["gradients"][cut])
    cuts = [part["cut"] for part in record.detail["parts"]]
    training = [part["cut"] for part in record.detail["parts"] if part["training"]]
    assert training == [blocks[0]["block"], "head"]
    place = cuts.index(blocks[0]["block"])
    assert record.cut == (cuts[place - 1] if place else "")
    if final.strategy == "surgical":
        (again,) = final.detail["blocks"]
        assert [part["cut"] for part in final.detail["parts"] if part["training"]] == [again["block"], "head"]
    explained = next(one for one in explain(run.folder) if one["strategy"] == "surgical")
    assert explained["blocks"] == blocks
    named = " or ".join(dict.fromkeys(found["block"] for found in blocks))
    assert named in (run.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_rate_that_is_found_scales_the_recipe_and_is_told(small_fit: Fit, tmp_path: Path) -> None:
    run = small_fit(tmp_path / "run", strategy="finetune", rate="find")
    found = {r.strategy: r for r in run.records.of("candidate")}
    assert found["probe"].detail["sweeps"] == []
    for name in ("last_block", "upper_half", "all"):
        (sweep,) = found[name].detail["sweeps"]
        assert len(sweep["rates"]) == len(sweep["changes"]) <= STEPS
        own = finetune(1, epochs=1).lr
        first = found[name].detail["trials"][0][0]["lr"] if found[name].detail["trials"] else found[name].recipe["lr"]
        assert first == pytest.approx(own if sweep["suggested"] is None else sweep["suggested"])
        assert found[name].recipe["lr_head"] == pytest.approx(found[name].recipe["lr"])
    assert any(found[name].detail["sweeps"][0]["suggested"] is not None for name in ("last_block", "upper_half", "all"))
    assert "learning rate found before" in (run.folder / "report.html").read_text()
    with pytest.raises(RunError, match="rate"):
        small_fit(tmp_path / "run", strategy="finetune")


@pytest.mark.slow
def test_what_was_found_is_found_again_when_a_run_goes_on(small_fit: Fit, tmp_path: Path) -> None:
    whole = small_fit(tmp_path / "whole", strategy="surgical", rate="find").folder
    for stage in ("the learning rate, for ", "gradients, for ", ""):
        at, folder = stage + TABLE["surgical"].title, tmp_path / f"broken {stage}"

        def stop(where: str, done: int, total: int, at: str = at) -> None:
            if where == at and done == min(total, 9):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            small_fit(folder, strategy="surgical", rate="find", progress=stop)
        broken = small_fit(folder, strategy="surgical", rate="find").folder
        one, other = (journal(run).get("candidate/surgical") for run in (whole, broken))
        assert one is not None and other is not None
        assert one.detail == other.detail and one.recipe == other.recipe and one.metrics == other.metrics
        name = "work/surgical-predictions.safetensors"
        assert (whole / name).read_bytes() == (broken / name).read_bytes()


@pytest.mark.parametrize("stage", ["heads on random/test_resnet", TABLE["last_block"].title])
def test_a_run_does_not_go_on_with_a_network_that_has_changed(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def stop(where: str, done: int, total: int) -> None:
        if where == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_fit(tmp_path / "run", strategy="last_block", progress=stop)
    written = (tmp_path / "run" / "records.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Backbone, "fingerprint", lambda self, cut="top": "0" * 32)
        with pytest.raises(RunError, match="has changed since the run in"):
            small_fit(tmp_path / "run", strategy="last_block")
    assert (tmp_path / "run" / "records.jsonl").read_bytes() == written
    assert small_fit(tmp_path / "run", strategy="last_block").records.get("verdict") is not None


@pytest.mark.slow
def test_what_is_dropped_half_trained_is_marked_and_never_chosen(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headstart.runs.dropping.Rivals.loss", lambda *_: -1e9)
    monkeypatch.setattr("headstart.training.recipe.EARLIEST_RUNG", 1)
    run = small_fit(tmp_path / "run", strategy="all")
    (tuned,) = [r for r in run.records if r.what == "candidate" and r.strategy == "all"]
    plan = run.records.get("plan")
    assert plan is not None
    (epochs,) = [share["all"] for share in plan.detail["epochs"].values()]
    (curve,) = tuned.detail["curves"]
    assert len(curve["points"]) - 1 == epochs // 2 and tuned.detail["dropped"].startswith("Dropped in training 1 of ")
    assert run.verdict.chosen == "probe"
    assert any("was dropped before its end" in reason for reason in run.records.get("verdict").detail["reasons"])
