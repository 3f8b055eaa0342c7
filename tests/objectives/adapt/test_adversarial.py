"""DANN, CDAN and MDD against the formulas, image by image in numpy; what is reversed, and by how much."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.objectives.adapt import CDAN, DANN, MDD, Both
from headstart.objectives.adapt import cdan as cdan_file

Make = Callable[..., Both]
Numeric = Callable[..., np.ndarray]
D, K = 4, 3


def layers(network: nn.Module) -> list[np.ndarray]:
    return [parameter.detach().numpy().copy() for parameter in network.parameters()]


def through(row: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Linear layers with max(0, ·) between them."""
    for number in range(0, len(weights), 2):
        row = weights[number] @ row + weights[number + 1]
        row = np.maximum(row, 0) if number + 2 < len(weights) else row
    return row


def softmax(row: np.ndarray) -> np.ndarray:
    shares = np.exp(row - row.max())
    return np.asarray(shares / shares.sum())


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def of(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy().copy()


def strength(progress: float) -> float:
    return (1 - math.exp(-10 * progress)) / (1 + math.exp(-10 * progress))


def gradient(tensor: Tensor) -> np.ndarray:
    assert tensor.grad is not None
    return tensor.grad.numpy()


def dann_by_hand(z_s: np.ndarray, z_t: np.ndarray, weights: list[np.ndarray]) -> float:
    source = [-math.log(sigmoid(through(z, weights).item())) for z in z_s]
    target = [-math.log(1 - sigmoid(through(z, weights).item())) for z in z_t]
    return sum(source) / len(source) / 2 + sum(target) / len(target) / 2


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_dann(both: Make, numeric: Numeric, progress: float) -> None:
    torch.manual_seed(0)
    dann, seen = DANN(D).double(), both(progress)
    loss = dann(None, seen)
    loss.backward()
    weights, z_s, z_t = layers(dann.discriminator), of(seen.z_s), of(seen.z_t)
    assert loss.item() == pytest.approx(dann_by_hand(z_s, z_t, weights), rel=1e-9)
    toward = (
        numeric(lambda z: dann_by_hand(z, z_t, weights), z_s),
        numeric(lambda z: dann_by_hand(z_s, z, weights), z_t),
    )
    for leaf, expected in zip((seen.z_s, seen.z_t), toward, strict=True):
        np.testing.assert_allclose(gradient(leaf), -strength(progress) * expected, atol=1e-8)
    last = dann.discriminator[-1].weight
    own = numeric(lambda w: dann_by_hand(z_s, z_t, [*weights[:-2], w, weights[-1]]), weights[-2])
    np.testing.assert_allclose(gradient(last), own, atol=1e-8)


def cdan_by_hand(z: list[np.ndarray], g: list[np.ndarray], network: CDAN, *, entropy: bool) -> float:
    total, weights = 0.0, layers(network.discriminator)
    for domain in (0, 1):
        p = [softmax(row) for row in g[domain]]
        sure = [1 + math.exp(sum(x * math.log(x) for x in row)) if entropy else 1.0 for row in p]
        for row, shares, weight in zip(z[domain], p, sure, strict=True):
            if network.drawn:
                a, b = of(network.a), of(network.b)  # type: ignore[arg-type]
                joined = np.array([(a[i] @ row) * (b[i] @ shares) for i in range(len(a))]) / math.sqrt(len(a))
            else:
                joined = np.array([x * share for x in row for share in shares])
            of_source = sigmoid(through(joined, weights).item())
            total += weight / sum(sure) / 2 * -math.log(1 - of_source if domain else of_source)
    return total


@pytest.mark.parametrize("entropy", [True, False])
@pytest.mark.parametrize("widest", [4096, 2])
def test_cdan(both: Make, numeric: Numeric, monkeypatch: pytest.MonkeyPatch, entropy: bool, widest: int) -> None:
    monkeypatch.setattr(cdan_file, "WIDEST", widest)
    monkeypatch.setattr(cdan_file, "DRAWN", 7)
    torch.manual_seed(0)
    cdan, seen = CDAN(D, K, entropy=entropy).double(), both(0.3)
    assert cdan.drawn is (widest == 2)
    loss = cdan(None, seen)
    loss.backward()
    z, g = [of(seen.z_s), of(seen.z_t)], [of(seen.g_s), of(seen.g_t)]
    assert loss.item() == pytest.approx(cdan_by_hand(z, g, cdan, entropy=entropy), rel=1e-9)
    expected = numeric(lambda z_t: cdan_by_hand([z[0], z_t], g, cdan, entropy=entropy), z[1])
    np.testing.assert_allclose(gradient(seen.z_t), -strength(0.3) * expected, atol=1e-8)
    assert seen.g_s.grad is None and seen.g_t.grad is None, "predictions condition; they are not moved"
    assert not {"a", "b"} & dict(cdan.named_parameters()).keys()


def mdd_by_hand(z: list[np.ndarray], g: list[np.ndarray], weights: list[np.ndarray], margin: float) -> float:
    agree = [-math.log(softmax(through(row, weights))[logits.argmax()]) for row, logits in zip(z[0], g[0], strict=True)]
    apart = [
        -math.log(1 - softmax(through(row, weights))[logits.argmax()]) for row, logits in zip(z[1], g[1], strict=True)
    ]
    return margin * sum(agree) / len(agree) + sum(apart) / len(apart)


def test_mdd(both: Make, numeric: Numeric) -> None:
    torch.manual_seed(0)
    mdd, seen = MDD(D, K, margin=3.0).double(), both(0.3)
    loss = mdd(None, seen)
    loss.backward()
    z, g, weights = [of(seen.z_s), of(seen.z_t)], [of(seen.g_s), of(seen.g_t)], layers(mdd.head)
    assert loss.item() == pytest.approx(mdd_by_hand(z, g, weights, 3.0), rel=1e-9)
    expected = numeric(lambda z_t: mdd_by_hand([z[0], z_t], g, weights, 3.0), z[1])
    np.testing.assert_allclose(gradient(seen.z_t), -0.1 * strength(0.3) * expected, atol=1e-8)
    own = numeric(lambda b: mdd_by_hand(z, g, [*weights[:-1], b], 3.0), weights[-1])
    np.testing.assert_allclose(gradient(mdd.head[-1].bias), own, atol=1e-8)


def test_a_head_that_is_quite_sure_still_learns_to_disagree(both: Make) -> None:
    mdd, seen = MDD(D, K).double(), both(0.3)
    with torch.no_grad():
        mdd.head[-1].weight.zero_()
        mdd.head[-1].bias.copy_(200.0 * nn.functional.one_hot(seen.g_t.argmax(1)[0], K))
    loss: Any = mdd(None, seen)
    loss.backward()
    assert torch.isfinite(loss) and loss.item() > 60 and mdd.head[-1].bias.grad.abs().max() > 0.1
