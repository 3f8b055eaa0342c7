"""Relative gradient norms, beside a transcription in numpy and beside finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Transferred
from headstart.data.batches import Batch
from headstart.objectives import CrossEntropy
from headstart.training import relative_gradients


class TwoLayers(nn.Module):
    """Stand in for a backbone: two linear segments, and one without parameters."""

    cuts, widths = ("lower", "upper", "top"), {"top": 4}

    def __init__(self) -> None:
        super().__init__()
        self.lower_, self.upper_, self.top_ = nn.Linear(5, 6), nn.Linear(6, 4, bias=False), nn.Tanh()

    def cut_off_top(self) -> None:
        """Nothing is above the top."""

    def segments(self) -> tuple[tuple[str, nn.Module], ...]:
        return ("lower", self.lower_), ("upper", self.upper_), ("top", self.top_)

    def upper(self, cut: str) -> nn.Module:
        return nn.Sequential(self.lower_, self.upper_, self.top_)


def numpy_ratios(model: Transferred, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Backpropagation by hand: h = A x + a, u = tanh(B h), logits = C u + c."""
    state = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    a_weight, a_bias = state["backbone.lower_.weight"], state["backbone.lower_.bias"]
    b_weight, c_weight, c_bias = state["backbone.upper_.weight"], state["head.weight"], state["head.bias"]
    h = x @ a_weight.T + a_bias
    u = np.tanh(h @ b_weight.T)
    logits = u @ c_weight.T + c_bias
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    to_logits = (shares - np.eye(3)[y]) / len(y)
    to_pre = (to_logits @ c_weight) * (1 - u**2)
    to_h = to_pre @ b_weight
    a_gradient = np.concatenate([(to_h.T @ x).ravel(), to_h.sum(0)])
    a = np.concatenate([a_weight.ravel(), a_bias])
    return {
        "lower": float(np.linalg.norm(a_gradient) / np.linalg.norm(a)),
        "upper": float(np.linalg.norm(to_pre.T @ h) / np.linalg.norm(b_weight)),
    }


@pytest.mark.parametrize("size", [1, 3, 7])
def test_ratios_are_those_of_backpropagation_by_hand_however_images_are_batched(size: int) -> None:
    torch.manual_seed(3)
    model = Transferred(TwoLayers(), nn.Linear(4, 3))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    batches = [
        Batch(torch.from_numpy(x[at : at + size]).float(), torch.from_numpy(y[at : at + size]))
        for at in range(0, 7, size)
    ]
    found = relative_gradients(model, batches, objective=CrossEntropy())
    expected = numpy_ratios(model, x, y)
    assert list(found) == ["lower", "upper"]
    assert found == pytest.approx(expected, rel=1e-5)


def test_nothing_is_changed_and_dropout_is_off(toy: Any) -> None:
    model = toy.model(dropout=0.5).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    batches = list(toy.fit.in_order())
    one, other = (relative_gradients(model, batches, objective=CrossEntropy(0.1)) for _ in range(2))
    assert one == other and all(value > 0 for value in one.values())
    assert model.training and torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_is_frozen_takes_no_part(toy: Any) -> None:
    model = toy.model(frozen="blocks.1")
    found = relative_gradients(model, list(toy.fit.in_order()), objective=CrossEntropy())
    cuts = [cut for cut, _ in model.backbone.segments()]
    assert list(found) == cuts[cuts.index("blocks.1") + 1 :]
