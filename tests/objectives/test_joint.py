"""The loss of several tasks against its formula, written down once more in numpy: the value and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from headstart.data.batches import Batch
from headstart.objectives import CrossEntropy, JointCrossEntropy
from headstart.training import Objective

SIZES = (4, 2, 3)


def by_hand(logits: np.ndarray, y: np.ndarray, *, smoothing: float) -> tuple[float, np.ndarray]:
    """(1/m) Σ_t (1/n_t) Σ_{i labelled} −Σ_c q_c log p_c, image by image; and ∂L / ∂logits."""
    total, gradient, start = 0.0, np.zeros_like(logits), 0
    for t, k in enumerate(SIZES):
        labelled = [i for i in range(len(y)) if y[i, t] != -1]
        for i in labelled:
            own = logits[i, start : start + k]
            p = np.exp(own) / np.exp(own).sum()
            q = np.full(k, smoothing / k)
            q[y[i, t]] += 1 - smoothing
            share = 1 / (len(SIZES) * len(labelled))
            total -= share * (q * np.log(p)).sum()
            gradient[i, start : start + k] = share * (p - q)
        start += k
    return total, gradient


def some(*, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of nine images, some of which are missing; of one task, all."""
    rng = np.random.default_rng(0)
    y = np.stack([rng.integers(-1, k, 9) for k in SIZES], axis=1)
    y[0] = [3, 1, 2]
    if without is not None:
        y[:, without] = -1
    return rng.normal(size=(9, sum(SIZES))) * 3, y


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("without", [None, 1])
def test_value_and_gradient(smoothing: float, without: int | None) -> None:
    logits, y = some(without=without)
    assert (y == -1).any()
    x = torch.tensor(logits, requires_grad=True)
    losses = JointCrossEntropy(SIZES, label_smoothing=smoothing)(nn.Identity(), Batch(x, torch.tensor(y)), 0.3)
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    value, gradient = by_hand(logits, y, smoothing=smoothing)
    assert total.item() == pytest.approx(value, rel=1e-10)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), gradient, atol=1e-12)


def test_every_task_weighs_the_same_however_many_labels_it_has() -> None:
    logits, y = some()
    one = JointCrossEntropy(SIZES)(nn.Identity(), Batch(torch.tensor(logits), torch.tensor(y)), 0.0)
    doubled = y.copy()
    doubled[1:, 0] = -1
    other = JointCrossEntropy(SIZES)(nn.Identity(), Batch(torch.tensor(logits), torch.tensor(doubled)), 0.0)
    assert other["task_1"] == one["task_1"] and other["task_2"] == one["task_2"]
    p = np.exp(logits[0, :4]) / np.exp(logits[0, :4]).sum()
    assert other["task_0"].item() == pytest.approx(-np.log(p[3]) / 3)


def test_of_one_task_it_is_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    x, y = torch.tensor(rng.normal(size=(7, 4))), torch.tensor(rng.integers(0, 4, 7))
    (joint,) = JointCrossEntropy([4], label_smoothing=0.1)(nn.Identity(), Batch(x, y[:, None]), 0.0).values()
    assert joint.item() == pytest.approx(CrossEntropy(0.1)(nn.Identity(), Batch(x, y), 0.0)["cross_entropy"].item())


def test_it_is_an_objective_that_learns_nothing_itself() -> None:
    objective = JointCrossEntropy(SIZES)
    assert isinstance(objective, Objective) and not list(objective.parameters()) and not objective.state_dict()
