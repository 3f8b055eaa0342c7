"""The page of a run that has sources: a problem card for each, or the sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tests.report.test_page import HOSTILE, Checked

import headstart
from headstart.records import Journal, Record
from headstart.report import draw, model_card
from headstart.report.comparison import sentences

PARTS = {"data": "spaces", "marginal": "marginal", "labels": "labels", "prior": "prior", "verdict": "verdict"}


def card_records(number: int, folder: str) -> list[Record]:
    """Records of a card of two small sets of features, the second one shifted; one class is private to each."""
    rng = np.random.default_rng(number)
    y = np.arange(60) % 3
    z = rng.normal(size=(2, 60, 4)) + np.eye(3, 4)[y] * 4
    z[1] += 2.0
    names = [np.array(["a", "b", HOSTILE[0]])[y], np.array(["a", "b", HOSTILE[1]])[y]]
    card = headstart.compare((z[0], names[0]), (z[1], names[1]))
    told = {key: asdict(getattr(card, name)) for key, name in PARTS.items()}
    for side, name in (("source", HOSTILE[0]), ("target", "ours")):
        told["data"][side]["name"] = name
    answers = {one.about: asdict(one) for one in card.verdict.answers}
    detail = {"run": folder, "note": "", "tolerance": 5.0, "sentence": card.case.sentence, "answers": answers}
    parts = [Record(f"source/{number}/{key}", f"source/{number}/{key}", detail=one) for key, one in told.items()]
    return [*parts, Record(f"source/{number}", "source", backbone="packaged/efficientnet_lite0", detail=detail)]


@pytest.fixture
def sourced(make_run: Callable[..., Path]) -> Path:
    """Return a run with two sources that were compared and one that could not be."""
    folder = make_run()
    journal = Journal(folder / "records.jsonl")
    note = {"run": "gone", "tolerance": 5.0, "note": "The images of gone were not compared with these: none <is> left."}
    for record in [*card_records(0, "one"), *card_records(1, HOSTILE[2]), Record("source/2", "source", detail=note)]:
        journal.append(record)
    return folder


def test_every_source_has_a_card_of_its_own_and_what_is_missing_is_said(sourced: Path) -> None:
    text = draw(sourced).read_text(encoding="utf-8")
    page = Checked(text)
    said = " ".join(" ".join(page.text).split())
    assert {"source", "source-h"} <= set(page.ids)
    assert [name for name in ("source-0-shift", "source-1-shift") if any(i.startswith(name) for i in page.ids)] == [
        "source-0-shift",
        "source-1-shift",
    ]
    for record in Journal(sourced / "records.jsonl").of("source/0/verdict"):
        assert all(" ".join(answer["sentence"].split()) in said for answer in record.detail["answers"])
        assert record.detail["case"]["sentence"].partition(":")[0] in said
    assert "more than 5 points above chance" in said and "none <is> left." in said
    assert "<script>alert" not in text and "{{ 7*7 }}" in said


def test_a_run_without_a_source_says_nothing_of_one(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    assert 'id="source"' not in draw(folder).read_text() and "source's images" not in model_card(folder)


def test_the_terminal_and_the_model_card_say_case_and_sizes(sourced: Path) -> None:
    one, _, gone = Journal(sourced / "records.jsonl").of("source")
    first, sizes = sentences(one.detail)
    assert first.startswith("Compared with the images of one: ") and sizes.startswith("Feature space same; P(X) diff")
    marginal = one.detail["answers"]["marginal"]
    assert f"P(X) different, +{100 * marginal['value']:.1f} points (+{100 * marginal['low']:.1f} to" in sizes
    assert "Label space different; " in sizes
    assert sentences(gone.detail) == [gone.detail["note"]]
    assert "The images of gone were not compared with these: none &lt;is&gt; left." in model_card(sourced)
