"""How did the camera move? The motion between two frames, told from the features of both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.related import Related
from headstart.objectives.surrogate.surrogate import embed, seeded_linear

HIDDEN = 256
PROJECTED = 64
MARGIN = 1.0


class EgoMotion(nn.Module):
    """L = mean over axes a of the mean over pairs of −log p_a(bin of the motion along a | both frames).

    Two streams of one network, whose features stand side by side under a layer of 256 units; the motion is binned.

    Parameters
    ----------
    width : of the features, d.
    bins : of each axis; `batch.y` (n, axes) holds bins from 0, `batch.x` is (n, 2, 3, h, w).
    seed : of the layers' first weights.
    learned : bins of what is learned from, (m, axes), where they are not equally frequent: it says what chance gives.

    Source: Agrawal, Carreira & Malik 2015, https://arxiv.org/abs/1505.01596.
    """

    def __init__(self, width: int, bins: Sequence[int], *, seed: int = 0, learned: Tensor | None = None) -> None:
        super().__init__()
        self.bins = list(bins)
        each = [_commonest(learned[:, a]) if learned is not None else 1 / k for a, k in enumerate(bins)]
        self._chance = sum(each) / len(each)
        self.head = seeded_linear([2 * width, HIDDEN, sum(bins)], seed=seed)

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """One loss an axis."""
        return {
            f"axis_{a}": F.cross_entropy(logits, batch.y[:, a]) / len(self.bins)
            for a, logits in enumerate(self._logits(model, batch))
        }

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """(n, axes): whether each axis' bin is named."""
        named = [logits.argmax(1) for logits in self._logits(model, batch)]
        return torch.stack(named, 1) == batch.y

    def chance(self, batch: Related) -> float:
        """Mean over axes of the share of the commonest bin."""
        return self._chance

    def _logits(self, model: nn.Module, batch: Related) -> tuple[Tensor, ...]:
        found: Tensor = self.head(embed(model, batch.x).flatten(1))
        each: tuple[Tensor, ...] = found.split(self.bins, 1)
        return each


class Equivariance(nn.Module):
    """L = mean over pairs of ‖M_g a − b‖² + max(0, δ − ‖M_h a − b‖²), g the motion of the pair, h another one.

    a and b are the projected features of the two frames, of unit length; each of the G motions has a linear map M of
    its own: features change with the camera's motion in a way that can be foreseen. δ = 1. Of several axes the
    motions are the combinations of their halves (2 for each axis), of one axis its bins.

    Parameters
    ----------
    width : of the features, d.
    bins : of each axis; `batch.y` (n, axes) holds bins from 0, `batch.x` is (n, 2, 3, h, w).
    seed : of the first weights.
    learned : as of `EgoMotion`.

    Source: Jayaraman & Grauman 2015, https://arxiv.org/abs/1505.02206, who find the motions by k-means, and map
    features of 100 units; wider ones are projected to 64 first.
    """

    def __init__(self, width: int, bins: Sequence[int], *, seed: int = 0, learned: Tensor | None = None) -> None:
        super().__init__()
        self.bins = list(bins)
        self.motions = bins[0] if len(bins) == 1 else 2 ** len(bins)
        self._chance = _commonest(self.motion(learned)) if learned is not None else 1 / self.motions
        self.projection = seeded_linear([width, PROJECTED], seed=seed)
        self.maps = nn.Parameter(torch.eye(PROJECTED).repeat(self.motions, 1, 1))

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """Two losses: the pair's own motion, and the next one in number."""
        a, b, g = self._projected(model, batch)
        own, other = (self._distance(a, b, motion) for motion in (g, (g + 1) % self.motions))
        return {"own": own.mean(), "other": F.relu(MARGIN - other).mean()}

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """(n,): whether the pair's own motion foresees its second frame better than all others do."""
        a, b, g = self._projected(model, batch)
        every = [self._distance(a, b, torch.full_like(g, motion)) for motion in range(self.motions)]
        return torch.stack(every, 1).argmin(1) == g

    def chance(self, batch: Related) -> float:
        """The share of the commonest motion."""
        return self._chance

    def motion(self, y: Tensor) -> Tensor:
        """Bins (n, axes) → the number of the motion (n,)."""
        if len(self.bins) == 1:
            return y[:, 0]
        upper = torch.stack([2 * y[:, a] >= k for a, k in enumerate(self.bins)], 1).long()
        found: Tensor = (upper * 2 ** torch.arange(len(self.bins), device=y.device)).sum(1)
        return found

    def _projected(self, model: nn.Module, batch: Related) -> tuple[Tensor, Tensor, Tensor]:
        z = F.normalize(self.projection(embed(model, batch.x)), dim=2)
        return z[:, 0], z[:, 1], self.motion(batch.y)

    def _distance(self, a: Tensor, b: Tensor, motion: Tensor) -> Tensor:
        mapped = torch.einsum("nij,nj->ni", self.maps[motion], a)
        found: Tensor = (mapped - b).square().sum(1)
        return found


def _commonest(y: Tensor) -> float:
    """Share of the most frequent value of (m,)."""
    return float(y.bincount().max() / len(y))
