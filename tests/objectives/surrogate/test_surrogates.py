"""Surrogate objectives: values and gradients against transcriptions in numpy, and what holds for all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart.data.related import Related, RelatedBatches
from headstart.objectives.surrogate import (
    EgoMotion,
    Equivariance,
    PseudoClasses,
    Rotation,
    Slow,
    SlowMargin,
    Steady,
    Surrogate,
    TwoViews,
)

N, D = 6, 5
Doubles = np.ndarray
Y = {
    "frames": np.array([[0, 0], [0, 4], [0, 20], [1, 0], [1, 7], [1, 30]]),
    "motion": np.array([[0, 2], [1, 0], [2, 1], [0, 0], [1, 1], [2, 2]]),
    "classes": np.array([[0], [1], [2], [3], [0], [1]]),
}


class Given(nn.Module):
    """A model whose features are its input: (n, 1, 1, d) images → (n, d)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def made(kind: str, w: int, *, seed: int = 0) -> tuple[Related, Doubles]:
    z = np.random.default_rng(seed).normal(size=(N, w, D))
    x = torch.tensor(z, requires_grad=True)
    return Related(x.view(N, w, 1, 1, D), torch.from_numpy(Y[kind])), z


def value(objective: Any, batch: Related) -> torch.Tensor:
    return torch.stack(list(objective(Given(), batch, 0.0).values())).sum()


def unit(z: Doubles) -> Doubles:
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def cross_entropy(logits: Doubles, y: Doubles) -> float:
    logits = logits - logits.max(1, keepdims=True)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return float(-np.log(shares[np.arange(len(y)), y]).mean())


def far(apart: int) -> Doubles:
    y = Y["frames"]
    return np.array([[a[0] != b[0] or abs(a[1] - b[1]) >= apart for b in y] for a in y])


def contrast(u: Doubles, v: Doubles, apart: int) -> float:
    total = 0.0
    for i in range(len(u)):
        others = [j for j in range(len(u)) if j == i or far(apart)[i, j]]
        scores = np.array([u[i] @ v[j] for j in others]) / 0.1
        total += np.log(np.exp(scores).sum()) - u[i] @ v[i] / 0.1
    return total / len(u)


def slow(z: Doubles) -> float:  # 8 between first frames leaves 7 between the nearest ones
    z = unit(z)
    return contrast(z[:, 0], z[:, 1], 8)


def slow_margin(z: Doubles) -> float:
    z = unit(z)
    squared = np.array([[np.square(a - b).sum() for b in z[:, 1]] for a in z[:, 0]])
    apart = np.maximum(0, 1 - squared[far(8)]).mean()
    return float(np.diag(squared).mean() + apart)


def steady(z: Doubles) -> float:
    z = unit(z)
    steps = unit(np.diff(z, axis=1))
    return contrast(z[:, 0], z[:, 1], 8) + contrast(steps[:, 0], steps[:, 1], 8)


@pytest.mark.parametrize(
    ("objective", "w", "transcribed"),
    [(Slow(apart=7), 2, slow), (SlowMargin(apart=7), 2, slow_margin), (Steady(apart=6), 3, steady)],
    ids=["slow", "slow_margin", "steady"],
)
def test_slow_features(
    objective: Slow, w: int, transcribed: Callable[[Doubles], float], numeric: Callable[..., Doubles]
) -> None:
    batch, z = made("frames", w)
    found = value(objective, batch)
    assert found.item() == pytest.approx(transcribed(z), abs=1e-9)
    (gradient,) = torch.autograd.grad(found, batch.x)
    np.testing.assert_allclose(gradient.view(N, w, D), numeric(transcribed, z), atol=1e-6)


def weights(head: nn.Module) -> list[Doubles]:
    return [p.detach().double().numpy() for p in head.parameters()]


def ego_motion(objective: EgoMotion) -> Callable[[Doubles], float]:
    w1, b1, w2, b2 = weights(objective.head)

    def transcribed(z: Doubles) -> float:
        hidden = np.maximum(0, z.reshape(N, -1) @ w1.T + b1)
        logits = hidden @ w2.T + b2
        return (cross_entropy(logits[:, :3], Y["motion"][:, 0]) + cross_entropy(logits[:, 3:], Y["motion"][:, 1])) / 2

    return transcribed


def equivariance(objective: Equivariance) -> Callable[[Doubles], float]:
    w, b = weights(objective.projection)
    maps = objective.maps.detach().double().numpy()
    motion = np.array([int(2 * y[0] >= 3) + 2 * int(2 * y[1] >= 3) for y in Y["motion"]])

    def transcribed(z: Doubles) -> float:
        p = unit(z @ w.T + b)
        own = [np.square(maps[g] @ p[i, 0] - p[i, 1]).sum() for i, g in enumerate(motion)]
        other = [max(0.0, 1 - np.square(maps[(g + 1) % 4] @ p[i, 0] - p[i, 1]).sum()) for i, g in enumerate(motion)]
        return float(np.mean(own) + np.mean(other))

    return transcribed


def pseudo_classes(objective: PseudoClasses) -> Callable[[Doubles], float]:
    w, b = weights(objective.head)
    return lambda z: cross_entropy(z[:, 0] @ w.T + b, Y["classes"][:, 0])


@pytest.mark.parametrize(
    ("objective", "kind", "w", "transcribe"),
    [
        (EgoMotion(D, [3, 3]), "motion", 2, ego_motion),
        (Equivariance(D, [3, 3]), "motion", 2, equivariance),
        (PseudoClasses(D, 4), "classes", 1, pseudo_classes),
    ],
    ids=["egomotion", "equivariance", "classes"],
)
def test_objectives_with_heads(
    objective: nn.Module, kind: str, w: int, transcribe: Any, numeric: Callable[..., Doubles]
) -> None:
    objective = copy.deepcopy(objective).double()
    if isinstance(objective, Equivariance):
        apart(objective)
    batch, z = made(kind, w)
    found, transcribed = value(objective, batch), transcribe(objective)
    assert found.item() == pytest.approx(transcribed(z), abs=1e-9)
    (gradient,) = torch.autograd.grad(found, batch.x)
    np.testing.assert_allclose(gradient.view(N, w, D), numeric(transcribed, z), atol=1e-6)


def test_rotation_asks_for_every_quarter(numeric: Callable[..., Doubles]) -> None:
    objective = Rotation(4).double()
    w, b = weights(objective.head)
    x = np.random.default_rng(0).normal(size=(3, 2, 2))

    def transcribed(x: Doubles) -> float:
        turned = [np.rot90(one, k, (0, 1)).reshape(-1) for one in x for k in range(4)]
        return cross_entropy(np.array(turned) @ w.T + b, np.tile(np.arange(4), 3))

    batch = Related(torch.tensor(x, requires_grad=True).view(3, 1, 1, 2, 2), torch.zeros(3, 1).long())
    found = value(objective, batch)
    assert found.item() == pytest.approx(transcribed(x), abs=1e-9)
    (gradient,) = torch.autograd.grad(found, batch.x)
    np.testing.assert_allclose(gradient.view(3, 2, 2), numeric(transcribed, x), atol=1e-6)


def simclr(u: Doubles, v: Doubles) -> float:
    z = unit(np.concatenate([u, v]))
    scores, n = z @ z.T / 0.5, len(u)
    np.fill_diagonal(scores, -np.inf)
    partner = np.concatenate([np.arange(n) + n, np.arange(n)])
    return float(np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(2 * n), partner]))


def vicreg(u: Doubles, v: Doubles) -> float:
    n, d = u.shape
    total = 25 * np.square(u - v).mean()
    for z in (u, v):
        total += 25 * np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean() / 2
        centred = z - z.mean(0)
        covariance = centred.T @ centred / (n - 1)
        total += (np.square(covariance).sum() - np.square(np.diag(covariance)).sum()) / d
    return float(total)


def barlow_twins(u: Doubles, v: Doubles) -> float:
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (u, v))
    correlation = a.T @ b / len(u)
    own = np.diag(correlation)
    return float(np.square(1 - own).sum() + 0.005 * (np.square(correlation).sum() - np.square(own).sum()))


@pytest.mark.parametrize("criterion", [simclr, vicreg, barlow_twins])
def test_two_views_are_compared_as_in_the_papers(
    criterion: Callable[[Doubles, Doubles], float], numeric: Callable[..., Doubles]
) -> None:
    pytest.importorskip("lightly")
    objective = TwoViews(D, criterion.__name__).double()
    batch, z = made("classes", 2)
    w1, b1, w2, b2 = weights(objective.head)

    def transcribed(z: Doubles) -> float:
        p = np.maximum(0, z @ w1.T + b1) @ w2.T + b2
        return criterion(p[:, 0], p[:, 1])

    found = value(objective, batch)
    assert found.item() == pytest.approx(transcribed(z), abs=1e-6)
    (gradient,) = torch.autograd.grad(found, batch.x)
    np.testing.assert_allclose(gradient.view(N, 2, D), numeric(transcribed, z), atol=1e-6)


def apart(objective: Equivariance) -> Equivariance:
    """Maps that are all the same, as they begin, pull and push a pair that is near alike: nothing would move."""
    with torch.no_grad():
        objective.maps += 0.1 * torch.randn(objective.maps.shape, generator=torch.Generator().manual_seed(0))
    return objective


CONTRACT: list[tuple[Callable[[], Surrogate], str, int]] = [
    (lambda: Rotation(D), "classes", 1),
    (lambda: PseudoClasses(D, 4), "classes", 1),
    (lambda: Slow(apart=8), "frames", 2),
    (lambda: SlowMargin(apart=8), "frames", 2),
    (lambda: Steady(apart=8), "frames", 3),
    (lambda: EgoMotion(D, [3, 3]), "motion", 2),
    (lambda: apart(Equivariance(D, [3, 3])), "motion", 2),
    (lambda: TwoViews(D, "simclr"), "classes", 2),
    (lambda: TwoViews(D, "vicreg"), "classes", 2),
    (lambda: TwoViews(D, "barlow_twins"), "classes", 2),
]


@pytest.mark.parametrize(("make", "kind", "w"), CONTRACT)
def test_what_holds_for_every_surrogate(make: Callable[[], Surrogate], kind: str, w: int) -> None:
    """Finite losses, a gradient at the network, the same first weights, answers as many as questions, a chance."""
    if kind == "classes" and w == 2:
        pytest.importorskip("lightly")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(D * D, D))
    x = torch.randn(N, w, 1, D, D)
    batch, objective = Related(x, torch.from_numpy(Y[kind])), make()
    total = torch.stack(list(objective(network, batch, 0.5).values())).sum()
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    again = torch.stack(list(make()(network, batch, 0.5).values())).sum()
    assert again.item() == total.item()
    right = objective.right(network, batch)
    assert right.dtype == torch.bool and right.numel() > 0
    assert 0 < objective.chance(batch) < 1


def test_classes_that_look_alike_are_put_together_halfway() -> None:
    """Two seeds that no network could tell apart end in one cluster; before that they are classes of their own."""
    x = torch.eye(4).repeat_interleave(2, 0).view(8, 1, 1, 1, 4)

    def make(numbers: np.ndarray, view: int, seed: int, augmentation: object) -> Related:
        return Related(x[numbers], torch.from_numpy(numbers)[:, None])

    feed, objective = RelatedBatches(make, 8, 4), PseudoClasses(4, 8, clusters=4, epochs=4)
    for _ in range(2):
        objective.at_epoch(Given(), feed)
    assert objective.merged.tolist() == list(range(8))
    assert objective.chance(make(np.arange(2), 0, 0, None)) == 1 / 8
    before = copy.deepcopy(objective.state_dict())
    objective.at_epoch(Given(), feed)
    merged = objective.merged.view(4, 2)
    assert (merged[:, 0] == merged[:, 1]).all() and len(merged.unique()) == 4
    logits = objective._answers(Given(), make(np.arange(8), 0, 0, None))[0]
    assert logits.shape == (8, 4)
    resumed = PseudoClasses(4, 8, clusters=4, epochs=4)
    resumed.load_state_dict(before)
    resumed.at_epoch(Given(), feed)
    found, expected = resumed.state_dict(), objective.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
