"""Cross-entropy against the formula, written down once more in numpy: the value and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from headstart.data.batches import Batch
from headstart.objectives import CrossEntropy
from headstart.training import Objective


def by_hand(logits: np.ndarray, y: np.ndarray, *, smoothing: float, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """L = Σ_i Σ_c q_ic w_c (−log p_ic) / Σ_i w_{y_i}, q = (1 − ε) one-hot + ε / k; and ∂L / ∂logits."""
    n, k = logits.shape
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    q = np.full((n, k), smoothing / k)
    q[np.arange(n), y] += 1 - smoothing
    mass = q * weights
    total = weights[y].sum()
    return -(mass * np.log(p)).sum() / total, (mass.sum(1, keepdims=True) * p - mass) / total


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", [None, [1.0, 1.0, 1.0, 1.0], [0.5, 2.0, 1.5, 3.0]])
def test_value_and_gradient(smoothing: float, weights: list[float] | None) -> None:
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(9, 4)) * 3, rng.integers(0, 4, 9)
    x = torch.tensor(logits, requires_grad=True)
    given = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    losses = CrossEntropy(smoothing, class_weights=given)(nn.Identity(), Batch(x, torch.tensor(y)), 0.3)
    assert list(losses) == ["cross_entropy"]
    losses["cross_entropy"].backward()
    value, gradient = by_hand(logits, y, smoothing=smoothing, weights=np.array(weights or [1.0] * 4))
    assert losses["cross_entropy"].item() == pytest.approx(value, rel=1e-10)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), gradient, atol=1e-12)


def test_it_is_an_objective_and_its_weights_move_with_it() -> None:
    objective = CrossEntropy(0.1, class_weights=torch.ones(3))
    assert isinstance(objective, Objective)
    moved = objective.to(torch.float64).class_weights
    assert moved is not None and moved.dtype == torch.float64
    assert not list(objective.parameters())
