"""Commands that fit no split of their own say, too, what a run's network has seen before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart.bundle.learned import LEARNED
from headstart.data import survey
from headstart.problem import read_labelled, read_target
from headstart.runs.seen import seen_notes


def test_copies_count_and_what_nobody_says_is_said(tmp_path: Path) -> None:
    (tmp_path / LEARNED).write_text(json.dumps({"images": ["b"]}))
    ids, groups, judged = ["a", "b", "c"], np.array([0, 1, 1]), {"images": np.array([0, 2])}
    name = f"run:{tmp_path}"
    (said,) = seen_notes([name, "random/resnet18"], ids, groups, judged, so="so")
    assert said == f"{name} has learned from 1 of the 2 images, or copies of them: so."
    assert seen_notes([name], ids, np.arange(3), judged, so="so") == []
    (tmp_path / LEARNED).unlink()
    (said,) = seen_notes([name], ids, groups, judged, so="so")
    assert said.startswith(f"{name} does not say which images")


@pytest.mark.slow
def test_adapt_and_compare_count_images_that_their_network_has_learned_from(
    finished: Path, domains: Path, tmp_path: Path
) -> None:
    source, target = read_labelled(domains / "source").x, read_target(domains / "flat")[0].x
    ids = [survey(one, 32, cache=tmp_path / "cache").ids for one in (source, target)]
    (finished / LEARNED).write_text(json.dumps({"images": [*ids[0], *ids[1]]}))
    name = f"run:{finished}"
    found = headstart.adapt(
        domains / "source", domains / "flat", tmp_path / "run", backbone=name, size=32, methods=("coral",)
    )
    parts = json.loads((found.folder / "split.json").read_text())
    held, judged = len(parts["source"]["held"]), len(parts["target"]["judged"])
    (said,) = [note for note in found.records.get("domains").detail["notes"] if "learned from" in note]  # type: ignore[union-attr]
    assert f"{held} of the {held} held source images and {judged} of the {judged} judged target images" in said
    assert said in (found.folder / "report.html").read_text()
    card = headstart.compare(domains / "source", domains / "flat", backbone=name, size=32)
    (said,) = [note for note in card.spaces.notes if "learned from" in note]
    assert f"{len(ids[0])} of the {len(ids[0])} images of the source" in said and "differ for that alone" in said
