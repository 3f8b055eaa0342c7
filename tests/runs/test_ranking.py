"""Backbones ranked on the training part alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import headstart
from headstart.backbones import load
from headstart.errors import BackboneError, DataError, OptionError
from headstart.evidence.transferability import SCORES
from headstart.problem import Labelled
from headstart.runs import ranking
from headstart.runs.fit import fit
from headstart.runs.ranked import Ranked

TINY = ("random/test_resnet", "random/test_vit")


@pytest.fixture
def rank(digits_folder: Path) -> Any:
    """Return `headstart.rank` on 120 real digits with two tiny networks of random weights."""

    def call(data: Path = digits_folder, **options: Any) -> Ranked:
        return ranking.rank(data, **{"backbones": TINY, "size": 32} | options)

    return call


def test_every_score_ranks_every_backbone(rank: Any) -> None:
    ranked = rank(scores=["all"])
    assert ranked.scores == tuple(SCORES)
    assert {one.backbone for one in ranked.standings} == set(TINY)
    assert ranked.best in ranked.tied and ranked.best in ranked.sentence
    assert [one.mean_rank for one in ranked.standings] == sorted(one.mean_rank for one in ranked.standings)
    for one in ranked.standings:
        assert one.low is not None and one.high is not None and one.low <= one.mean_rank <= one.high
        assert all(np.isfinite(list(one.scores.values())))
        assert all(error is not None and error >= 0 for error in one.errors.values())
    document = json.loads(json.dumps(ranked.to_json()))
    assert document["best"] == ranked.best and len(document["standings"]) == 2


def test_the_same_question_has_the_same_answer(rank: Any) -> None:
    assert headstart.rank is ranking.rank
    assert rank().to_json() == rank().to_json()


def test_labels_outside_of_the_training_part_are_not_read(
    rank: Any, digits_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rank()
    real = ranking.read

    def spoiled(labelled: Labelled, *words: Any, **more: Any) -> Any:
        prepared = real(labelled, *words, **more)
        for part in (prepared.split.val, prepared.split.test):
            prepared.y[part] = 0
        return prepared

    monkeypatch.setattr(ranking, "read", spoiled)
    assert rank().to_json() == before.to_json()


def test_the_split_is_that_of_a_fit(
    rank: Any, digits_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = ranking.scored_images

    def watched(prepared: Any) -> np.ndarray:
        indices = real(prepared)
        seen.append([prepared.labelled.x.label_of(i) for i in indices])
        return indices

    monkeypatch.setattr(ranking, "scored_images", watched)
    rank(seed=3)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("headstart.runs.fit._work", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(digits_folder, tmp_path / "run", backbones=TINY[:1], size=32, seed=3, strategy="probe")
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert set(seen[0]) <= set(split["train"])


def test_copies_do_not_vouch_for_each_other(rank: Any, digits_folder: Path) -> None:
    before = rank().images
    for image in sorted((digits_folder / "0").iterdir()):
        (digits_folder / "0" / f"copy-{image.name}").write_bytes(image.read_bytes())
    assert abs(rank().images - before) <= 2


def test_probabilities_of_the_source_are_those_of_its_classifier(rank: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, np.ndarray]] = []
    real = ranking.score_all

    def watched(name: str, rows: Any, inputs: dict[str, np.ndarray], **more: Any) -> Any:
        given.append(inputs)
        return real(name, rows, inputs, **more)

    monkeypatch.setattr(ranking, "score_all", watched)
    rank(scores=["leep"], backbones=TINY[:1])
    classifier = load(TINY[0], size=32).network.get_classifier()
    with torch.inference_mode():
        expected = torch.softmax(classifier(torch.from_numpy(given[0]["features"])), 1).numpy()
    np.testing.assert_allclose(given[0]["source probabilities"], expected, atol=1e-6)


def test_a_network_without_a_classifier_cannot_be_ranked_by_it(rank: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def beheaded(name: str, *, size: int) -> Any:
        backbone = load(name, size=size)
        if name == TINY[1]:
            backbone.cut_off_top()
        return backbone

    monkeypatch.setattr(ranking, "load", beheaded)
    ranked = rank(scores=["loo_ridge", "leep"])
    assert ranked.scores == ("loo_ridge",)
    assert any(TINY[1] in note and "leep" in note for note in ranked.notes)
    with pytest.raises(OptionError, match="no classifier"):
        rank(scores=["leep", "nce"])


def test_a_class_of_which_one_training_image_is_left_is_named(rank: Any, digits_folder: Path) -> None:
    for image in sorted((digits_folder / "4").iterdir())[3:]:
        image.unlink()
    with pytest.raises(DataError, match="of 4; two are needed") as caught:
        rank(split=(0.3, 0.35, 0.35))
    assert "--split" in caught.value.remedy


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"scores": ["logmee"]}, OptionError),
        ({"scores": []}, OptionError),
        ({"size": 7}, OptionError),
        ({"seed": -1}, OptionError),
        ({"device": "tpu"}, OptionError),
        ({"backbones": ["random/nothing"]}, BackboneError),
    ],
)
def test_what_cannot_be_asked_is_refused(rank: Any, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        rank(**options)
    assert caught.value.fact and caught.value.remedy  # type: ignore[attr-defined]


def test_arrays_can_be_ranked_too() -> None:
    from sklearn.datasets import load_digits

    data = load_digits(n_class=3)
    images = (data.images[:90] * 15.9).astype("uint8")
    ranked = ranking.rank((images, data.target[:90]), backbones=TINY, size=32)
    assert 40 < ranked.images <= 54
