"""Looking into networks: what is planted in one is what is found there, and where the figures have their points."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.backbones import Backbone, load_random
from headstart.records import Journal, Record
from headstart.report.sections import inside
from headstart.runs.study.looking import (
    GAP,
    SIDE,
    STRONGEST,
    _changed,
    _filters,
    _moved,
    _positions,
    _responds,
    _telling,
)

PLANTED, RED, SQUARE = 5, 8, 6
CUTS = tuple(f"layers.{name}" for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"))


@pytest.fixture
def network() -> Backbone:
    """A network whose first layer has one unit: it sees red, of 5 × 5 pixels, and nothing else has any weight."""
    found = load_random("plain_alexnet", size=32, seed=0).eval()
    first = found.network.layers.conv1[0]
    with torch.no_grad():
        first.weight.zero_()
        first.weight[PLANTED] = torch.tensor([1.0, -0.5, -0.5]).view(3, 1, 1).expand(3, 5, 5) / 25
        first.bias[PLANTED] = -0.5
    return found


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Grey noise of the class ``plain``, and on some of the class ``red`` a square; each is less red than the last."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.integers(100, 140, (30, 32, 32, 1), dtype=np.uint8), 3, axis=3)
    y = np.zeros(len(x), int)
    for number, row in enumerate(rng.permutation(len(x))[:RED]):
        top, left = rng.integers(6, 20, 2)
        x[row, top : top + SQUARE, left : left + SQUARE] = (255 - 5 * number, 0, 0)
        y[row] = 1
    return x, y


def responds(network: Backbone, folder: Path) -> dict[str, Any]:
    """What the first cut of a network responds to in these pictures."""
    x, y = pictures()
    task = SimpleNamespace(classes=("plain", "red"))
    survey, labelled = SimpleNamespace(pixels=lambda rows: x[rows]), SimpleNamespace(y=y, task=task)
    tasks: Any = SimpleNamespace(lab=SimpleNamespace(survey=survey, labelled=labelled))
    context: Any = SimpleNamespace(folder=folder, device=torch.device("cpu"))
    return _responds(context, tasks, network, CUTS[0], np.arange(len(x)))


def squares_of(path: Path) -> list[np.ndarray]:
    """The small pictures in the first row of a picture."""
    sheet = np.asarray(Image.open(path))
    return [sheet[:SIDE, at : at + SIDE] for at in range(0, sheet.shape[1], SIDE + GAP)]


def test_a_planted_unit_is_found_with_the_images_that_it_was_planted_for(network: Backbone, tmp_path: Path) -> None:
    found = responds(network, tmp_path)
    assert found["units"] == [{"unit": PLANTED, "classes": ["red"] * STRONGEST}]
    assert found["patch"] == [5, 5]
    # Each patch is a part of the square alone, and the reddest comes first.
    patches = squares_of(tmp_path / found["picture"])
    assert [np.unique(patch.reshape(-1, 3), axis=0).tolist() for patch in patches] == [
        [[255 - 5 * number, 0, 0]] for number in range(RED)
    ]


def test_where_no_unit_responds_the_page_says_so_and_shows_none(network: Backbone, tmp_path: Path) -> None:
    with torch.no_grad():
        network.network.layers.conv1[0].weight.zero_()
    found = responds(network, tmp_path)
    assert found == {"cut": CUTS[0], "picture": "", "units": [], "patch": [0, 0]}
    journal = Journal(tmp_path / "records.jsonl")
    journal.append(Record("inside", "inside", detail={"filters": [], "responds": [found]}))
    told = inside.responds(tmp_path, journal)
    assert told is not None and told["cuts"][0]["uri"] is None and told["cuts"][0]["units"] == []


def test_of_units_that_say_most_of_the_class_each_class_has_its_own_first() -> None:
    y = np.repeat([0, 1, 2], 4)
    noise = np.random.default_rng(0).normal(0, 0.01, (12, 6))
    strongest = noise + np.stack([y == 0, 0.3 * (y == 0), y == 1, 0 * y, y == 2, 0 * y], axis=1)
    assert set(_telling(strongest, y)[:3]) == {0, 2, 4}


@pytest.mark.parametrize("architecture", ["plain_alexnet", "test_resnet", "test_vit"])
def test_any_activation_has_its_channels_second_and_its_positions_last(architecture: str) -> None:
    network = load_random(architecture, size=32, seed=0).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pooled = dict(zip(network.cuts, network(x), strict=True))
        for cut in network.cuts[: network.cuts.index("top")]:
            y = network.lower(cut)(x)
            found = _positions(network, y)
            assert found.shape == (2, network.widths[cut], y[0].numel() // network.widths[cut])
            assert torch.allclose(found.mean(2), pooled[cut], atol=1e-5)


def test_of_maps_with_channels_last_a_position_is_a_row_and_a_column() -> None:
    y = torch.arange(2 * 4 * 5 * 3).view(2, 4, 5, 3)
    last: Any = SimpleNamespace(channels_last=True)
    found = _positions(last, y)
    assert found.shape == (2, 3, 20) and torch.equal(found[1, 2, 3 * 5 + 4], y[1, 3, 4, 2])


def test_the_layer_whose_weights_moved_is_the_one_that_is_named() -> None:
    before, after = (load_random("plain_alexnet", size=32, seed=0).eval() for _ in range(2))
    with torch.no_grad():
        weight = after.network.layers.conv4[0].weight
        weight[::2] *= 1.5
        expected = float((weight[::2] / 3).norm() / before.network.layers.conv4[0].weight.norm())
        x = torch.rand(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        z = {
            name: {cut: one.numpy() for cut, one in zip(network.cuts, network(x), strict=True)}
            for name, network in {"base A": before, "A, fine-tuned on B": after}.items()
        }
    found = _changed(before, after, z, CUTS)
    assert [one["cut"] for one in found] == list(CUTS)
    assert {one["cut"]: one["weights"] for one in found if one["weights"]} == {
        "layers.conv4": pytest.approx(expected, rel=1e-5)
    }
    alike = [one["alike"] for one in found]
    assert alike[:3] == pytest.approx([1.0] * 3) and max(alike[3:]) < 0.9999
    # Between two cuts that are further apart, it is the upper one that stands for all layers below it.
    coarse = _changed(before, after, z, (CUTS[1], CUTS[6]))
    assert [one["weights"] for one in coarse] == [0.0, pytest.approx(coarse[1]["weights"])] and coarse[1]["weights"] > 0


def test_of_a_layer_without_weights_nothing_can_have_moved() -> None:
    assert _moved(torch.nn.ReLU(), torch.nn.ReLU()) is None


def test_filters_of_the_first_layer_are_shown_by_their_form(network: Backbone, tmp_path: Path) -> None:
    blind: Any = torch.nn.Linear(2, 2)
    (found,) = _filters(tmp_path, {"base B": network, "sees no colours": blind})
    assert found["network"] == "base B"
    shown = squares_of(tmp_path / found["picture"])
    assert len(shown) == network.network.layers.conv1[0].out_channels
    colours = [np.unique(square.reshape(-1, 3), axis=0).tolist() for square in shown]
    assert colours[PLANTED] == [[255, 0, 0]]
    assert colours[:PLANTED] + colours[PLANTED + 1 :] == [[[0, 0, 0]]] * (len(shown) - 1)


def test_the_figure_by_depth_has_its_points_where_the_probes_are(tmp_path: Path) -> None:
    separable = {"base B": {"a": 0.5, "b": 0.75, "c": 0.9}, "random": {"a": 0.5, "b": 0.4, "c": 0.3}}
    changed = [{"cut": cut, "weights": 0.1, "alike": alike} for cut, alike in (("a", 0.9), ("b", 0.2), ("c", 0.5))]
    square = [[1.0, 0.2, 0.1], [0.2, 1.0, 0.3], [0.1, 0.3, 1.0]]
    detail = {"cuts": ["a", "b", "c"], "separable": separable, "specific": separable, "images": 40}
    detail |= {"within": square, "across": square, "changed": changed}
    journal = Journal(tmp_path / "records.jsonl")
    journal.append(Record("inside", "inside", detail=detail))
    found = inside.depth(journal)
    assert found is not None and found["most"] == "b"
    drawn = str(found["separable"]).split("</svg>")[0]
    for words, by_cut in zip(re.findall(r'<polyline points="([^"]+)"', drawn), separable.values(), strict=True):
        _, heights = zip(*(map(float, pair.split(",")) for pair in words.split()), strict=True)
        rises = np.diff(heights) / np.diff(list(by_cut.values()))
        # Up is less on a page; all points of both networks stand on one scale.
        assert rises[0] < 0 and rises == pytest.approx([rises[0]] * 2, rel=0.02)
    assert "random · c: 30.0 %" in drawn and "base B · b: 75.0 %" in drawn
