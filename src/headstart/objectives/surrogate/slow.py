"""Slow features: what changes little from one frame to the next, and yet differs between distant ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.related import Related
from headstart.objectives.surrogate.surrogate import embed

TEMPERATURE = 0.1
MARGIN = 1.0


class Slow(nn.Module):
    """L = mean over neighbouring frames i of −log exp(uᵢ·vᵢ/τ) / Σ_j exp(uᵢ·v_j/τ).

    u and v are the unit features of a frame and of the next one; j runs over i and over all frames of the batch that
    are distant from i: of another sequence, or `apart` frames away or more. The contrastive form of temporal coherence.

    Parameters
    ----------
    apart : frames between two of one sequence from which they count as distant.

    `batch.x` is (n, 2, 3, h, w); `batch.y` (n, 2) holds sequence and time of the first frames.

    Source: Mobahi, Collobert & Weston 2009, https://doi.org/10.1145/1553374.1553469; the contrastive form:
    van den Oord, Li & Vinyals 2018, https://arxiv.org/abs/1807.03748.
    """

    reach = 1
    """Frames from the first to the last one of a set."""

    def __init__(self, *, apart: int) -> None:
        super().__init__()
        self.apart = apart + self.reach  # between the first frames, so that no two of two sets are nearer than `apart`

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """One loss."""
        z = F.normalize(embed(model, batch.x), dim=2)
        return {"slow": self.contrast(z[:, 0], z[:, 1], batch.y)}

    def contrast(self, u: Tensor, v: Tensor, y: Tensor) -> Tensor:
        """The loss above, of unit rows u and v (n, d)."""
        logits = u @ v.T / TEMPERATURE
        allowed = distant(y, self.apart) | torch.eye(len(u), dtype=torch.bool, device=u.device)
        masked = logits.masked_fill(~allowed, -torch.inf)
        return F.cross_entropy(masked, torch.arange(len(u), device=u.device))

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """Whether the next frame is nearer than a distant one, for every pair of both."""
        z = F.normalize(embed(model, batch.x), dim=2)
        near = (z[:, 0] * z[:, 1]).sum(1, keepdim=True)
        found: Tensor = (near > z[:, 0] @ z[:, 1].T)[distant(batch.y, self.apart)]
        return found

    def chance(self, batch: Related) -> float:
        """One in two."""
        return 0.5


class SlowMargin(Slow):
    """L = mean over neighbouring frames of ‖u − v‖² + mean over distant ones of max(0, δ − ‖u − v‖²), δ = 1.

    As Mobahi et al. have it, with squared distances of unit features, so that the margin means the same at any scale.
    """

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """Two losses: what should be close, and what should be apart."""
        z = F.normalize(embed(model, batch.x), dim=2)
        squared = 2 - 2 * z[:, 0] @ z[:, 1].T
        far = squared[distant(batch.y, self.apart)]
        apart = F.relu(MARGIN - far).mean() if len(far) else squared.sum() * 0
        return {"close": squared.diagonal().mean(), "apart": apart}


class Steady(Slow):
    """The loss of `Slow` on a frame and the next one, and the same on their steps: L = L(z₀, z₁) + L(z₁ − z₀, z₂ − z₁).

    Features that are steady change as they have just changed: the step between two frames resembles the next step
    more than it resembles steps elsewhere. `batch.x` is (n, 3, 3, h, w).

    Source: Jayaraman & Grauman 2016, https://arxiv.org/abs/1506.04714.
    """

    reach = 2

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """Two losses."""
        z = embed(model, batch.x)
        u = F.normalize(z, dim=2)
        steps = F.normalize(u[:, 1:] - u[:, :-1], dim=2)
        return {
            "slow": self.contrast(u[:, 0], u[:, 1], batch.y),
            "steady": self.contrast(steps[:, 0], steps[:, 1], batch.y),
        }


def distant(y: Tensor, apart: int) -> Tensor:
    """Which pairs of sets are of different sequences, or `apart` frames away or more, bool (n, n).

    >>> distant(torch.tensor([[0, 0], [0, 2], [0, 9], [1, 0]]), 5).int().tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    """
    sequence, time = y[:, 0], y[:, 1]
    other = sequence[:, None] != sequence[None, :]
    away: Tensor = (time[:, None] - time[None, :]).abs() >= apart
    return other | away
