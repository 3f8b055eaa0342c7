"""The paper's figure, redrawn: where its points are."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from headstart.evidence.transplants import Transplant, differences
from headstart.report.sections.transferability import effects
from headstart.strategies import TREATMENTS

PLANTED = {
    "BnB": [0.0, -0.03, 0.0],
    "AnB": [0.0, -0.05, -0.12],
    "BnB+": [0.01, 0.0, 0.01],
    "AnB+": [0.03, 0.02, 0.03],
    "random": [-0.05, -0.2, -0.4],
}


def test_every_effect_stands_at_its_n_and_its_height_on_one_scale(
    transplanted: Callable[..., list[Transplant]],
) -> None:
    cells = {kind: transplanted(PLANTED) for kind in ("random", "dissimilar")}
    found = effects(cells)
    assert found is not None
    drawn = str(found["figure"]).split("</svg>")[0]
    lines = [
        [tuple(map(float, pair.split(","))) for pair in words.split()]
        for words in re.findall(r'<polyline points="([^"]+)"', drawn)
    ]
    assert len(lines) == 2 * len(TREATMENTS)
    expected = [differences(cells["random"], name) for name in TREATMENTS]
    values = [by_n[n].mean() for by_n in expected for n in sorted(by_n)]
    for panel in (lines[: len(TREATMENTS)], lines[len(TREATMENTS) :]):
        x, y = np.array(panel).reshape(-1, 2).T
        across = x.reshape(-1, 3)
        assert (across == across[0]).all() and np.diff(across[0]) == pytest.approx([across[0][1] - across[0][0]] * 2)
        scale, nought = np.polyfit(values, y, 1)
        assert scale < 0 and y == pytest.approx(nought + scale * np.array(values), abs=0.1)
    tip = f"AnB, n = 3: −{-100 * values[5]:.1f} points"
    assert tip in drawn
