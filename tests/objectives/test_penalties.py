"""Penalties and mixup against the formulas, written down once more in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from headstart.data.batches import Batch
from headstart.objectives import L2SP, BatchSpectralShrinkage, CrossEntropy, Seen


class Small(nn.Module):
    """Features through one layer, of which the bias does not train, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(4, 3).double(), nn.Linear(3, 2).double()
        self.body.bias.requires_grad_(False)

    def maps(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return (n, 3) features, under the name of their cut."""
        return {"top": self.body(x)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, 2) logits."""
        logits: torch.Tensor = self.head(self.body(x))
        return logits


def seen(z: torch.Tensor) -> Seen:
    return Seen(z, torch.zeros(len(z), dtype=torch.int64), {"top": z})


def batch(n: int = 5) -> Batch:
    rng = np.random.default_rng(1)
    return Batch(torch.tensor(rng.normal(size=(n, 4))), torch.tensor(rng.integers(0, 2, n)))


def test_l2sp_is_the_distance_from_where_training_began_and_the_size_of_the_head() -> None:
    model = Small()
    penalty = L2SP(model, alpha=0.3, beta=0.07)
    start = model.body.weight.detach().numpy().copy()
    with torch.no_grad():
        model.body.weight.add_(torch.randn(3, 4, dtype=torch.float64))
        model.body.bias.add_(5.0)  # does not train, so it does not count
    loss = penalty(model, seen(torch.zeros(1, 3, dtype=torch.float64)))
    loss.backward()
    moved = model.body.weight.detach().numpy() - start
    head = [p.detach().numpy() for p in model.head.parameters()]
    expected = 0.15 * (moved**2).sum() + 0.035 * sum((v**2).sum() for v in head)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert model.body.weight.grad is not None
    np.testing.assert_allclose(model.body.weight.grad.numpy(), 0.3 * moved, rtol=1e-6)


@pytest.mark.parametrize(("n", "d", "k"), [(8, 5, 1), (5, 8, 2), (6, 6, 3)])
def test_spectral_shrinkage_is_the_sum_of_the_smallest_eigenvalues(n: int, d: int, k: int) -> None:
    z = torch.tensor(np.random.default_rng(n).normal(size=(n, d)), dtype=torch.float32)
    gram = z.numpy().astype("f8") @ z.numpy().astype("f8").T if n < d else z.numpy().T.astype("f8") @ z.numpy()
    expected = 0.25 * np.sort(np.linalg.eigvalsh(gram))[:k].sum()
    assert BatchSpectralShrinkage(eta=0.25, k=k)(nn.Identity(), seen(z)).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("penalty", [L2SP(Small(), alpha=0.0, beta=0.0), BatchSpectralShrinkage(eta=0.0)])
def test_a_penalty_of_no_weight_is_the_plain_loss(penalty: L2SP | BatchSpectralShrinkage) -> None:
    losses = []
    for penalties in ((), (penalty,)):
        model = Small()
        loss = torch.stack(list(CrossEntropy(0.1, penalties=penalties)(model, batch(), 0.0).values())).sum()
        loss.backward()
        assert model.body.weight.grad is not None
        losses.append((loss.item(), model.body.weight.grad))
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-12)
    torch.testing.assert_close(losses[0][1], losses[1][1], rtol=1e-9, atol=1e-12)


def test_penalties_stand_beside_the_loss_under_their_names() -> None:
    model = Small()
    losses = CrossEntropy(penalties=(L2SP(model), BatchSpectralShrinkage()))(model, batch(), 0.0)
    assert list(losses) == ["cross_entropy", "l2sp", "bss"]
    assert all(loss.dim() == 0 and torch.isfinite(loss) for loss in losses.values())


def test_mixup_mixes_pairs_and_their_losses_alike() -> None:
    x = torch.eye(4, dtype=torch.float64)
    y = torch.arange(4)
    seen: list[torch.Tensor] = []

    class Watch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return 2 * x

    torch.manual_seed(3)
    loss = CrossEntropy(mixup=0.5)(Watch(), Batch(x, y), 0.0)["cross_entropy"].item()
    mixed = seen[0].numpy()
    np.testing.assert_allclose(mixed.sum(1), 1.0)
    log_p = 2 * mixed - np.log(np.exp(2 * mixed).sum(1, keepdims=True))
    # Images are one-hot, so the mixed image says itself how much of which label it holds.
    assert loss == pytest.approx(-(mixed * log_p).sum(1).mean(), rel=1e-9)
    assert 0 < (np.abs(mixed - np.eye(4)).max()) < 1


def test_mixup_draws_from_the_seed() -> None:
    def draw(seed: int) -> float:
        torch.manual_seed(seed)
        return CrossEntropy(mixup=0.2)(nn.Identity(), batch(), 0.0)["cross_entropy"].item()

    assert draw(1) == draw(1) != draw(2)
