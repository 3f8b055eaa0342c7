"""DAN, JAN, Deep CORAL and MCC against the formulas, with loops over pairs in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from torch import Tensor

from headstart.objectives.adapt import DAN, JAN, MCC, Alignment, Both, DeepCORAL

Make = Callable[..., Both]
Numeric = Callable[..., np.ndarray]


def of(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy().copy()


def gradient(tensor: Tensor) -> np.ndarray:
    assert tensor.grad is not None
    return tensor.grad.numpy()


def softmax(row: np.ndarray) -> np.ndarray:
    shares = np.exp(row - row.max())
    return np.asarray(shares / shares.sum())


def mean_distance(x: np.ndarray) -> float:
    n = len(x)
    return sum(float(((x[i] - x[j]) ** 2).sum()) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))


def kernel(a: np.ndarray, b: np.ndarray, width: float) -> float:
    squared = float(((a - b) ** 2).sum())
    return sum(math.exp(-squared / (2 * 2.0**power * width)) for power in (-3, -2, -1, 0, 1)) / 5


def mmd(
    source: Sequence[tuple[np.ndarray, ...]], target: Sequence[tuple[np.ndarray, ...]], k: Callable[..., float]
) -> float:
    def mean(one: Sequence[tuple[np.ndarray, ...]], other: Sequence[tuple[np.ndarray, ...]]) -> float:
        return sum(k(*a, *b) for a in one for b in other) / (len(one) * len(other))

    return mean(source, source) + mean(target, target) - 2 * mean(source, target)


def test_dan(both: Make, numeric: Numeric) -> None:
    seen = both()
    loss = DAN()(None, seen)
    loss.backward()
    z_s, z_t = of(seen.z_s), of(seen.z_t)
    width = mean_distance(np.concatenate([z_s, z_t]))

    def by_hand(source: np.ndarray, target: np.ndarray) -> float:
        return mmd([(z,) for z in source], [(z,) for z in target], lambda a, b: kernel(a, b, width))

    assert loss.item() == pytest.approx(by_hand(z_s, z_t), rel=1e-9)
    np.testing.assert_allclose(gradient(seen.z_s), numeric(lambda z: by_hand(z, z_t), z_s), atol=1e-8)
    np.testing.assert_allclose(gradient(seen.z_t), numeric(lambda z: by_hand(z_s, z), z_t), atol=1e-8)


def test_jan(both: Make, numeric: Numeric) -> None:
    seen = both()
    loss = JAN()(None, seen)
    loss.backward()
    z_s, z_t, g_s, g_t = (of(t) for t in (seen.z_s, seen.z_t, seen.g_s, seen.g_t))
    width = mean_distance(np.concatenate([z_s, z_t]))

    def joint(z: np.ndarray, g: np.ndarray, z_: np.ndarray, g_: np.ndarray) -> float:
        return kernel(z, z_, width) * math.exp(-float(((softmax(g) - softmax(g_)) ** 2).sum()) / 1.68)

    def by_hand(z_t: np.ndarray, g_t: np.ndarray) -> float:
        source, target = ([*zip(z, g, strict=True)] for z, g in ((z_s, g_s), (z_t, g_t)))
        return mmd(source, target, joint)

    assert loss.item() == pytest.approx(by_hand(z_t, g_t), rel=1e-9)
    np.testing.assert_allclose(gradient(seen.z_t), numeric(lambda z: by_hand(z, g_t), z_t), atol=1e-8)
    np.testing.assert_allclose(gradient(seen.g_t), numeric(lambda g: by_hand(z_t, g), g_t), atol=1e-8)


@pytest.mark.parametrize("relative", [True, False])
def test_deep_coral(both: Make, numeric: Numeric, relative: bool) -> None:
    seen = both()
    loss = DeepCORAL(relative=relative)(None, seen)
    loss.backward()
    g_s, g_t = of(seen.g_s), of(seen.g_t)

    def by_hand(source: np.ndarray, target: np.ndarray) -> float:
        here, there = np.cov(source.T), np.cov(target.T)
        size = (math.sqrt((here**2).sum()) + math.sqrt((there**2).sum())) ** 2 if relative else 4 * 3**2
        return float(((here - there) ** 2).sum()) / size

    assert loss.item() == pytest.approx(by_hand(g_s, g_t), rel=1e-9)
    np.testing.assert_allclose(gradient(seen.g_s), numeric(lambda g: by_hand(g, g_t), g_s), atol=1e-7)
    np.testing.assert_allclose(gradient(seen.g_t), numeric(lambda g: by_hand(g_s, g), g_t), atol=1e-7)


def test_mcc(both: Make, numeric: Numeric) -> None:
    seen = both()
    loss = MCC(temperature=2.0)(None, seen)
    loss.backward()
    g_t = of(seen.g_t)
    n, k = g_t.shape
    sure = [1 + math.exp(sum(x * math.log(x) for x in softmax(row / 2))) for row in g_t]

    def by_hand(g: np.ndarray) -> float:
        p, off = [softmax(row / 2) for row in g], 0.0
        for c in range(k):
            row = [
                sum(n * w / sum(sure) * shares[c] * shares[d] for w, shares in zip(sure, p, strict=True))
                for d in range(k)
            ]
            off += sum(value for d, value in enumerate(row) if d != c) / sum(row)
        return off / k

    assert loss.item() == pytest.approx(by_hand(g_t), rel=1e-9)
    np.testing.assert_allclose(gradient(seen.g_t), numeric(by_hand, g_t), atol=1e-8)
    assert seen.g_s.grad is None and seen.z_t.grad is None


@pytest.mark.parametrize("alignment", [DAN(), JAN(), DeepCORAL()], ids=lambda a: a.name)
def test_where_the_target_is_the_source_nothing_is_apart(both: Make, alignment: Alignment) -> None:
    assert alignment(None, both(same=True)).item() == pytest.approx(0, abs=1e-12)  # type: ignore[arg-type]
    assert alignment(None, both()).item() > 0.01  # type: ignore[arg-type]
