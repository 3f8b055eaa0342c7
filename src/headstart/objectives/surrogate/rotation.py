"""Which way up? Four rotations of every image, to be told apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.related import Related
from headstart.objectives.surrogate.surrogate import embed, seeded_linear

QUARTERS = 4


class Rotation(nn.Module):
    """L = mean over images and quarter turns r of −log p(r | image turned by r).

    p is the softmax of a linear layer on the features. All four turns of an image stand in one batch, as in the paper.

    Parameters
    ----------
    width : of the features, d.
    seed : of the layer's first weights.

    Source: Gidaris, Singh & Komodakis 2018, https://arxiv.org/abs/1803.07728.
    """

    def __init__(self, width: int, *, seed: int = 0) -> None:
        super().__init__()
        self.head = seeded_linear([width, QUARTERS], seed=seed)

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """`batch.x` (n, 1, 3, h, w) → one loss over 4n images."""
        logits, turns = self._answers(model, batch)
        return {"rotation": F.cross_entropy(logits, turns)}

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """(4n,): whether each turn is named."""
        logits, turns = self._answers(model, batch)
        return logits.argmax(1) == turns

    def chance(self, batch: Related) -> float:
        """One in four."""
        return 1 / QUARTERS

    def _answers(self, model: nn.Module, batch: Related) -> tuple[Tensor, Tensor]:
        turned = torch.stack([torch.rot90(batch.x[:, 0], k, (2, 3)) for k in range(QUARTERS)], 1)
        logits: Tensor = self.head(embed(model, turned).flatten(0, 1))
        return logits, torch.arange(QUARTERS, device=logits.device).repeat(len(turned))
