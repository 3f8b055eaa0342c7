"""A whole adaptation on small real digits, and what it must never do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart import adapt
from headstart.bundle.learned import learned_by
from headstart.errors import DataError, HeadstartError, OptionError, RunError
from headstart.records import Journal, Record
from headstart.runs.adapted import AdaptedRun
from headstart.runs.fitted import Fitted
from headstart.runs.methods import FITTED_ON, on_features
from headstart.strategies import ADAPTATIONS

Adapt = Callable[..., AdaptedRun]


def run(domains: Path, out: Path, to: str = "target", **options: Any) -> AdaptedRun:
    """Return a quick run on a tiny network."""
    asked = {"backbone": "random/test_resnet", "size": 32, "methods": ("coral", "density_ratio")} | options
    return adapt(domains / "source", domains / to, out, **asked)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, domains: Path) -> AdaptedRun:
    """Return a run with a flat target."""
    return run(domains, tmp_path_factory.mktemp("plain") / "run", "flat")


def kept(found: AdaptedRun) -> dict[str, Any]:
    """Return what must not depend on the clock."""
    return {r.key: [r.strategy, r.recipe, r.metrics] for r in found.records if r.what in ("method", "verdict")}


def test_a_flat_target_gives_a_model_and_evidence(plain: AdaptedRun, domains: Path) -> None:
    verdict = plain.verdict
    assert verdict.chosen in ("source_only", "coral", "density_ratio") and verdict.rests_on
    assert not [r.key for r in plain.records if r.reads_target_labels] and plain.oracle == {}
    images = sorted((domains / "flat").iterdir())[:5]
    assert set(plain.predictor.predict(images)) <= set("01234")
    assert all((plain.folder / name).exists() for name in ("report.html", "README.md", "split.json", "config.json"))
    notes = " ".join(plain.records.get("domains").detail["notes"])  # type: ignore[union-attr]
    assert "cannot be known" in notes
    assert learned_by(f"run:{plain.folder}") == set(), "no weight of the network was fitted to any image"


def test_what_is_handed_back_is_what_was_measured(plain: AdaptedRun, domains: Path) -> None:
    from headstart.records.arrays import read_arrays

    stored = read_arrays(plain.folder / "work" / "final-predictions.safetensors")
    judged = json.loads((plain.folder / "split.json").read_text())["target"]["judged"]
    shares = plain.predictor.predict_proba([domains / "flat" / name for name in judged])
    assert stored is not None and np.abs(shares - stored[0]["probabilities"]).max() < 2e-3
    final = plain.records.get("final")
    assert final is not None and final.metrics["agreement"] > 0.9


def test_the_oracle_reads_last_and_changes_nothing(plain: AdaptedRun, domains: Path, tmp_path: Path) -> None:
    found = run(domains, tmp_path / "run", "target", oracle=True)
    without = run(domains, tmp_path / "other", "target")
    assert kept(found) == kept(without)
    bytes_ = [(one.folder / "model.safetensors").read_bytes() for one in (found, without)]
    assert bytes_[0] == bytes_[1]
    order = [record.what for record in found.records]
    assert order.index("verdict") < order.index("oracle_final") < order.index("oracle")
    assert [r.key for r in found.records if r.reads_target_labels] == [
        "oracle/final",
        *(r.key for r in found.records.of("oracle")),
    ]
    assert set(found.oracle) == {"source_only", "coral", "density_ratio"}
    page = (found.folder / "report.html").read_text()
    assert "Oracle" in page and "Nothing was chosen by them" in page
    assert "Oracle" not in (without.folder / "report.html").read_text().partition('id="reading"')[0]


def test_few_labels_are_drawn_from_what_is_adapted_on(domains: Path, tmp_path: Path) -> None:
    found = run(domains, tmp_path / "run", labels=2, methods=("coral", "towards_source"))
    parts = json.loads((found.folder / "split.json").read_text())["target"]
    assert len(parts["few"]) == 10 and set(parts["few"]) <= set(parts["adapted"])
    assert not set(parts["adapted"]) & set(parts["judged"])
    few = {r.strategy: r.detail["few"]["n"] for r in found.records.of("method")}
    assert few == dict.fromkeys(("source_only", "target_only", "coral", "towards_source"), 10)


def test_what_one_label_of_a_class_cannot_measure_is_not_told(domains: Path, tmp_path: Path) -> None:
    found = run(domains, tmp_path / "run", labels=1, methods=("coral", "towards_source"))
    few = {r.strategy: r.detail["few"] for r in found.records.of("method")}
    assert few["towards_source"] == few["target_only"] == {} and few["coral"]["n"] == 5
    assert found.verdict.chosen in ("source_only", "coral")


def test_few_labels_may_show_that_adapting_hurts(
    domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speaking(context: Any, both: Any, row: Any, start: Any) -> Fitted:
        """Name the few labelled images rightly by the source's head, and wrongly by whatever adapts."""
        fitted, y = on_features(context, both, row, start), both.target.few_y
        few = np.eye(both.source.k)[y if row.name == "source_only" else (y + 1) % both.source.k]
        return replace(fitted, arrays=lambda: {**fitted.arrays(), "few": few})

    monkeypatch.setitem(FITTED_ON, "features", speaking)
    found = run(domains, tmp_path / "run", labels=2, methods=("coral",))
    verdict = found.verdict
    assert (verdict.chosen, verdict.transfer) == ("source_only", "hurts")
    assert verdict.sentence.startswith("Adapting hurts: ") and "-100.0 points (90% interval" in verdict.sentence
    assert "Adapting hurts." in (found.folder / "report.html").read_text()


def test_a_killed_run_goes_on_and_ends_the_same(
    plain: AdaptedRun, domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.append

    def killed(self: Journal, record: Record) -> None:
        write(self, record)
        if record.key == "method/coral":
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        run(domains, tmp_path / "run", "flat")
    monkeypatch.setattr(Journal, "append", write)
    told: list[str] = []
    found = run(domains, tmp_path / "run", "flat", on_record=lambda record: told.append(record.key))
    assert kept(found) == kept(plain) and told.count("method/coral") == 1
    assert (found.folder / "model.safetensors").read_bytes() == (plain.folder / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="holds another run"):
        run(domains, tmp_path / "run", "flat", seed=1)


def test_a_run_that_an_earlier_version_began_is_refused(
    domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records lack what is chosen by."""
    write = Journal.append

    def earlier(self: Journal, record: Record) -> None:
        if record.what == "method":
            write(self, replace(record, metrics={k: v for k, v in record.metrics.items() if k != "overlap"}))
            raise KeyboardInterrupt
        write(self, record)

    monkeypatch.setattr(Journal, "append", earlier)
    with pytest.raises(KeyboardInterrupt):
        run(domains, tmp_path / "run", "flat")
    monkeypatch.setattr(Journal, "append", write)
    with pytest.raises(RunError, match="earlier headstart"):
        run(domains, tmp_path / "run", "flat")


def test_an_item_of_both_domains_is_not_learned_from_and_judged(domains: Path, tmp_path: Path) -> None:
    for side in ("source", "target"):
        for folder in (domains / side).iterdir():
            for number, path in enumerate(sorted(folder.iterdir())[:10]):
                place = tmp_path / side / folder.name / f"item-{'abcdefghij'[number]}{folder.name}x.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)
    found = run(tmp_path, tmp_path / "run")
    parts = json.loads((found.folder / "split.json").read_text())
    learned, judged = ({Path(p).stem for p in part} for part in (parts["source"]["train"], parts["target"]["judged"]))
    held = {Path(p).stem for p in parts["source"]["held"]}
    assert judged and not (learned | held) & judged
    assert found.records.get("domains").metrics["left_out"] == len(judged)  # type: ignore[union-attr]


def test_classes_of_one_side_are_named(domains: Path, tmp_path: Path) -> None:
    shutil.copytree(domains / "target", tmp_path / "target")
    (tmp_path / "target/0").rename(tmp_path / "target/zero")
    asked: dict[str, Any] = {"backbone": "random/test_resnet", "size": 32, "methods": ("coral",)}
    found = adapt(domains / "source", tmp_path / "target", tmp_path / "run", labels=1, oracle=True, **asked)
    notes = " ".join(found.records.get("domains").detail["notes"])  # type: ignore[union-attr]
    assert "The target has no 0" in notes and "The source has no zero" in notes
    assert "Unlabelled images of these are adapted on" in notes and "say so: --map 0=zero" in notes
    assert found.predictor.classes == ("1", "2", "3", "4")
    left = found.to_json()["oracle_left_out"]
    assert left["counts"] == {"zero": found.records.of("oracle")[0].detail["unknown"]} and left["n"] < left["judged"]
    for number, labels in enumerate((1, 0)):
        one = tmp_path / f"mapped-{number}"
        mapped = adapt(
            domains / "source", tmp_path / "target", one, labels=labels, oracle=True, mapping={"0": "zero"}, **asked
        )
        assert set(mapped.predictor.classes) == {"zero", "1", "2", "3", "4"}
        assert mapped.to_json()["oracle_left_out"] is None
    page = (tmp_path / "mapped-0" / "report.html").read_text()
    assert "--map 0=zero" in page


def test_what_cannot_be_mapped_is_refused_before_anything_is_written(domains: Path, tmp_path: Path) -> None:
    both = (domains / "source", domains / "target", tmp_path / "run")
    with pytest.raises(OptionError, match="its class names are not read"):
        adapt(*both, mapping={"0": "zero"})
    with pytest.raises(OptionError, match="source has no class named ten"):
        adapt(*both, mapping={"ten": "0"}, labels=1)
    with pytest.raises(OptionError, match="target has no class named zero"):
        adapt(*both, mapping={"0": "zero"}, labels=1)
    with pytest.raises(OptionError, match="would be called 1"):
        adapt(*both, mapping={"0": "1"}, oracle=True)
    assert not (tmp_path / "run").exists()


def test_where_no_class_is_shared_the_oracle_says_so(domains: Path, tmp_path: Path) -> None:
    for folder in (domains / "target").iterdir():
        shutil.copytree(folder, tmp_path / "target" / f"the {folder.name}")
    options: dict[str, Any] = {"backbone": "random/test_resnet", "size": 32, "methods": ("coral",)}
    found = adapt(domains / "source", tmp_path / "target", tmp_path / "run", oracle=True, **options)
    record = found.records.get("oracle/left_out")
    assert record is not None and record.reads_target_labels and found.oracle == {}
    assert record.metrics["n"] == record.metrics["judged"] == sum(record.detail["counts"].values())
    assert set(record.detail["counts"]) <= {f"the {name}" for name in "01234"}
    assert (
        "All " in (found.folder / "README.md").read_text() and "(the 0 " in (found.folder / "report.html").read_text()
    )
    with pytest.raises(DataError, match="No class has the same name in the source"):
        adapt(domains / "source", tmp_path / "target", tmp_path / "other", labels=1, **options)


def test_too_few_target_images(domains: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    shutil.copy(next((domains / "flat").iterdir()), tmp_path / "few")
    with pytest.raises(DataError, match="holds 1 images that can be read"):
        adapt(domains / "source", tmp_path / "few", tmp_path / "run", backbone="random/test_resnet", size=32)


def test_an_empty_target_is_refused(domains: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "0").mkdir(parents=True)
    for options in ({}, {"labels": 1}):
        with pytest.raises(DataError, match="There are no files in"):
            run(domains, tmp_path / "run", str(tmp_path / "empty"), **options)
    assert not (tmp_path / "run").exists()


def test_images_of_every_size_and_mode_are_adapted_on(domains: Path, tmp_path: Path) -> None:
    for side in ("source", "flat"):
        for number, path in enumerate(sorted((domains / side).rglob("*.png"))):
            mode, place = ("L", "RGBA", "P", "RGB")[number % 4], tmp_path / side / path.relative_to(domains / side)
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.open(path).resize((8 + number % 5, 8 + number % 3)).convert(mode).save(place)
    found = run(tmp_path, tmp_path / "run", "flat", methods=("coral",))
    record = found.records.get("domains")
    assert record is not None and record.metrics["broken"] == 0 and not record.detail["broken"]
    assert record.metrics["source"] + record.metrics["target"] + record.metrics["left_out"] == number_of(tmp_path)
    assert set(found.predictor.predict(sorted((tmp_path / "flat").iterdir())[:4])) <= set("01234")


def number_of(root: Path) -> int:
    """Return how many images two domains hold."""
    return sum(len(list((root / side).rglob("*.png"))) for side in ("source", "flat"))


def test_what_a_user_gets_wrong_is_said_before_anything_is_computed(domains: Path, tmp_path: Path) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "needs labelled target images": {"methods": ("tradaboost",)},
        "no way maybe to pair": {"pairs": "maybe"},
        "-1 labels of each class": {"labels": -1},
        "lies inside the folder of images": {"out": domains / "source" / "run"},
        "lies inside the target's folder": {"out": domains / "flat" / "run"},
        "names 3 backbones": {"backbone": "packaged/*"},
        "There is no file or folder": {"to": "nowhere"},
    }
    for sentence, options in wrong.items():
        asked = {"out": tmp_path / "run", "to": "flat"} | options
        with pytest.raises(HeadstartError, match=sentence):
            run(domains, asked.pop("out"), **asked)
    assert not (tmp_path / "run").exists()


def test_every_row_of_the_table_can_be_fitted() -> None:
    assert {row.fitted_on for row in ADAPTATIONS.values()} <= FITTED_ON.keys()


def test_a_target_of_one_item_is_refused(domains: Path, tmp_path: Path) -> None:
    image = np.full((24, 8, 8), 7, np.uint8)
    with pytest.raises(DataError, match=r"24 images are only 1 group\(s\)"):
        adapt(domains / "source", image, tmp_path / "run", backbone="random/test_resnet", size=32)
    assert not (tmp_path / "run" / "records.jsonl").exists() or not list(Journal(tmp_path / "run" / "records.jsonl"))


def test_a_domain_is_not_adapted_to_itself_nor_to_a_part_of_it(domains: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Source and target are the same"):
        run(domains, tmp_path / "run", "source")
    part = next(path for path in (domains / "source").iterdir() if path.is_dir())
    with pytest.raises(DataError, match="lies inside"):
        run(domains, tmp_path / "run", f"source/{part.name}")


def test_a_refused_command_does_not_stand_in_the_way_of_the_corrected_one(domains: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadstartError):
        run(domains, tmp_path / "run", labels=1000)
    assert run(domains, tmp_path / "run", labels=2).verdict.chosen
