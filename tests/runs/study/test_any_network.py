"""The laboratory on other networks than its own, from the images to the page: as small as it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart import study
from headstart.backbones import load_random
from headstart.strategies import TREATMENTS


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["plain_vgg", "test_resnet", "test_vit"])
def test_any_network_that_can_be_cut_is_taken_to_the_report(architecture: str, _digits: Path, tmp_path: Path) -> None:
    table = tmp_path / "by_hand.csv"
    table.write_text("class,half\n0,A\n1,A\n3,B\n4,B\n")
    between = load_random(architecture, size=32, seed=0).cuts[:-2]
    cuts = (between[0], between[-1])
    found = study.transferability(
        _digits,
        tmp_path / "run",
        architecture=architecture,
        splits=(str(table) if architecture == "plain_vgg" else "random",),
        seeds=1,
        cuts=cuts,
        epochs=1,
        reference="random/test_resnet",
        jobs=1,
        device="cpu",
    )
    cells = found.records.of("cell")
    n = [1, len(between)]
    assert [one.detail["n"] for one in cells if one.strategy == "AnB"] == n * 2
    assert len(cells) == 2 + 2 * len(n) * len(TREATMENTS)
    assert len(found.findings) == 5 and {one.word for one in found.findings} == {"not shown"}
    if architecture == "plain_vgg":
        (halves,) = found.records.of("halves")
        assert (halves.detail["A"], halves.detail["B"]) == (["0", "1"], ["3", "4"])
    inside = found.records.get("inside").detail
    assert [one["cut"] for one in inside["changed"]] == list(cuts) and len(inside["filters"]) == 4
    page = found.report.read_text()
    for words in ("The drop, taken apart", "What the layers respond to", "Features by depth", "The two tasks"):
        assert words in page
    assert all(cut in page for cut in cuts)
