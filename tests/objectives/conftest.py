"""A small real network, before and after it was moved from its source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Transferred, load_random

Make = Callable[..., Transferred]


@pytest.fixture
def make() -> Make:
    """Return a maker of one and the same model for three classes, of any family."""

    def model(family: str = "test_efficientnet", frozen: str = "") -> Transferred:
        backbone = load_random(family, size=32, seed=0)
        torch.manual_seed(0)
        head = nn.Linear(backbone.widths["top"], 3)
        return Transferred(backbone, head, frozen=frozen, source_statistics=True)

    return model


@pytest.fixture
def numeric() -> Callable[..., np.ndarray]:
    """Return (function of an array, array) → its gradient there, by central differences."""

    def gradient(of: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
        found = np.zeros_like(at)
        for place in np.ndindex(*at.shape):
            moved = np.zeros_like(at)
            moved[place] = step
            found[place] = (of(at + moved) - of(at - moved)) / (2 * step)
        return found

    return gradient
