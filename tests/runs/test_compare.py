"""The problem card: built shifts get their name; what is measured is kept and measured once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.errors import DataError, HeadstartError, OptionError, RunError
from headstart.records import Journal
from headstart.runs import comparing
from headstart.runs.compared import Card

N, K, D = 240, 4, 12
Side = tuple[np.ndarray, np.ndarray]


def domain(seed: int, *, n: int = N, prior: tuple[float, ...] = (0.25,) * K) -> Side:
    """Four classes with means of their own; features and class names."""
    rng = np.random.default_rng(seed)
    means = 2.5 * np.random.default_rng(99).normal(size=(K, D))
    y = rng.choice(K, size=n, p=prior)
    return means[y] + rng.normal(size=(n, D)), np.array(["ant", "bee", "cow", "dog"])[y]


def moved(side: Side) -> Side:
    return side[0] + np.eye(D)[0] * 1.5, side[1]


def turned(side: Side) -> Side:
    exchanged = {"ant": "bee", "bee": "ant", "cow": "dog", "dog": "cow"}
    return side[0], np.array([exchanged[name] for name in side[1]])


def without(side: Side, name: str) -> Side:
    return side[0][side[1] != name], side[1][side[1] != name]


@pytest.mark.parametrize(
    ("source", "target", "named"),
    [
        (domain(0), domain(1), ()),
        (domain(0), moved(domain(1)), ("covariate shift",)),
        (domain(0, prior=(0.4, 0.4, 0.1, 0.1)), domain(1, prior=(0.1, 0.1, 0.4, 0.4)), ("prior shift",)),
        (domain(0), turned(domain(1)), ("concept shift",)),
        (domain(0), without(domain(1), "dog"), ("label-space shift",)),
        (without(domain(0), "ant"), without(domain(1), "dog"), ("label-space shift",)),
        (domain(0), (domain(1)[0][:, :9], domain(1)[1]), ("feature-space shift",)),
        (domain(0), moved(domain(1))[0], ("shift of P(X)",)),
        (domain(0, prior=(0.4, 0.4, 0.1, 0.1)), domain(1, prior=(0.1, 0.1, 0.4, 0.4))[0], ("prior shift",)),
    ],
    ids=["none", "covariate", "prior", "concept", "partial", "open", "features", "covariate-x", "prior-x"],
)
def test_a_built_shift_gets_its_name(source: Any, target: Any, named: tuple[str, ...]) -> None:
    card = headstart.compare(source, target, tolerance=8)
    assert card.case.shifts == named
    assert card.answers["conditional"].judgement != "same" or isinstance(target, tuple)


def test_without_target_labels_nothing_is_known_of_them() -> None:
    card = headstart.compare(domain(0), domain(1)[0])
    assert card.answers["conditional"].judgement == card.answers["label space"].judgement == "unknown"
    assert card.case.pan_yang == card.case.zhuang == "transductive" and card.conditional is None
    assert card.prior is not None and {one.method for one in card.prior.estimates} == {"bbse", "em"}
    unseen = headstart.compare(domain(0), domain(1), target_labels=False)
    assert unseen.to_json() == card.to_json()
    neither = headstart.compare(domain(0)[0], domain(1)[0])
    assert neither.case.zhuang == "unsupervised" and neither.prior is None


def test_near_classes_are_offered_and_only_a_mapping_makes_them_one() -> None:
    x, y = domain(1)
    target = x, np.char.add(np.char.capitalize(y), "s")
    card = headstart.compare(domain(0), target)
    assert card.labels is not None and card.labels.relation == "disjoint" and len(card.labels.near) == 4
    assert {(a, b) for a, b, _ in card.labels.alike} == set(card.labels.near)
    offered = " ".join(f"--map {one}={other}" for one, other in card.labels.near)
    assert offered in card.answers["label space"].sentence
    mapped = headstart.compare(domain(0), target, mapping=dict(card.labels.near))
    assert mapped.labels is not None and mapped.labels.relation == "same" and mapped.case.shifts == ()


QUICK = {"backbone": "random/test_resnet", "size": 32}


@pytest.fixture
def pair(digits_folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder of digits and a flat one of the same kind, dimmed, with other files."""
    flat = tmp_path / "flat"
    flat.mkdir()
    for i, path in enumerate(sorted(digits_folder.rglob("*.png"))[::2]):
        image = np.asarray(Image.open(path))
        Image.fromarray((image // 2 + 60).astype("uint8")).save(flat / f"scan{i}.png")
        path.unlink()
    return digits_folder, flat


def test_a_page_is_written_and_a_finished_run_measures_nothing(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    card = headstart.compare(*pair, out=out, **QUICK)
    assert card.answers["marginal"].judgement == "different" and card.spaces.target.classes == {}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "covariate shift, if" in card.case.sentence and card.case.sentence.partition(":")[0] in page
    assert page.count("data:image/png") == 16 and "<circle" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    before = (out / "records.jsonl").read_text()
    assert not any(record.reads_target_labels for record in Journal(out / "records.jsonl"))
    for name in ("marginal", "estimated_prior", "given_class"):
        monkeypatch.setattr(comparing, name, None)
    again = headstart.compare(*pair, out=out, **QUICK)
    assert again == card and (out / "records.jsonl").read_text() == before
    assert json.loads(json.dumps(again.to_json()))["sentence"] == card.case.sentence


def test_an_interrupted_comparison_ends_with_the_same_numbers(pair: tuple[Path, Path], tmp_path: Path) -> None:
    whole = headstart.compare(*pair, out=tmp_path / "whole", **QUICK)

    def stopping(stage: str, done: int, total: int) -> None:
        if stage == "measuring: given_class":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        headstart.compare(*pair, out=tmp_path / "run", progress=stopping, **QUICK)
    kept = {record.key for record in Journal(tmp_path / "run" / "records.jsonl")}
    assert {"plan", "data", "pictures", "marginal", "prior"} == kept
    card = headstart.compare(*pair, out=tmp_path / "run", **QUICK)
    assert _numbers(card) == _numbers(whole)
    with pytest.raises(RunError, match="tolerance"):
        headstart.compare(*pair, out=tmp_path / "run", tolerance=1, **QUICK)
    next(pair[1].iterdir()).unlink()
    with pytest.raises(RunError, match="changed"):
        headstart.compare(*pair, out=tmp_path / "run", **QUICK)


def test_what_holds_the_targets_classes_is_marked_as_reading_them(digits_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for path in sorted(digits_folder.rglob("*.png"))[::2]:
        place = other / f"class-{path.parent.name}" / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    headstart.compare(digits_folder, other, out=tmp_path / "run", **QUICK)
    records = {record.key: record for record in Journal(tmp_path / "run" / "records.jsonl")}
    naming = {key for key, record in records.items() if "class-" in record.to_json()}
    assert {"data", "pictures", "labels"} <= naming
    assert all(records[key].reads_target_labels for key in naming)
    assert not records["marginal"].reads_target_labels


@pytest.mark.parametrize(
    "wrong",
    [{"source": "nowhere"}, {"target": "nowhere"}, {"target": "few"}, {"mapping": {"cow": "horse"}}],
    ids=["source", "target", "few", "mapping"],
)
def test_a_mistake_leaves_no_folder_behind(pair: tuple[Path, Path], tmp_path: Path, wrong: dict[str, Any]) -> None:
    (tmp_path / "few").mkdir()
    next(pair[1].iterdir()).rename(tmp_path / "few" / "one.png")
    asked: dict[str, Any] = {"source": pair[0], "target": pair[1]} | QUICK
    given = {key: tmp_path / value if isinstance(value, str) else value for key, value in wrong.items()}
    for there in (False, True):
        if there:
            (tmp_path / "run").mkdir()
        with pytest.raises(HeadstartError):
            headstart.compare(**(asked | given), out=tmp_path / "run")
        assert (tmp_path / "run").exists() == there
    headstart.compare(**asked, out=tmp_path / "run")


def _numbers(card: Card) -> dict[str, Any]:
    return {key: value for key, value in card.to_json().items() if key != "folder"}


def test_what_cannot_be_compared() -> None:
    images = np.zeros((30, 8, 8), np.uint8)
    with pytest.raises(DataError, match="19 usable"):
        headstart.compare(domain(0), domain(1, n=19))
    with pytest.raises(DataError, match="features"):
        headstart.compare(domain(0), images, **QUICK)
    with pytest.raises(OptionError, match="tolerance"):
        headstart.compare(domain(0), domain(1), tolerance=50)
    with pytest.raises(OptionError, match="cow"):
        headstart.compare(domain(0), domain(1), mapping={"cow": "horse"})
