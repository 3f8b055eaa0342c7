"""Small batches of two domains in double precision, and gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from headstart.data.domains import UnlabelledBatch
from headstart.objectives.adapt import Both

N_S, N_T, D, K = 5, 3, 4, 3


@pytest.fixture
def both() -> Callable[..., Both]:
    """Return a maker of what a model made of 5 and 3 images: every tensor a leaf that takes a gradient."""

    def make(progress: float = 0.3, *, seed: int = 0, same: bool = False) -> Both:
        rng = np.random.default_rng(seed)
        z_s, g_s = rng.normal(size=(N_S, D)), 2 * rng.normal(size=(N_S, K))
        z_t, g_t = (z_s, g_s) if same else (1 + rng.normal(size=(N_T, D)), 2 * rng.normal(size=(N_T, K)))
        leaves = [torch.tensor(array, requires_grad=True) for array in (z_s, z_t, g_s, g_t)]
        y_s, numbers = torch.tensor(rng.integers(0, K, N_S)), torch.arange(len(z_t))
        return Both(*leaves, y_s, UnlabelledBatch(leaves[1].detach(), leaves[1].detach(), numbers), progress)

    return make
