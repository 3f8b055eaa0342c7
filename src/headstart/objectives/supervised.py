"""Learning a task from its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Batch
from headstart.objectives.penalty import Penalty, Seen


class CrossEntropy(nn.Module):
    """Mean of −Σ_c q_c log p_c, where q mixes the label with the uniform distribution, plus penalties.

    Parameters
    ----------
    label_smoothing : share ε of the uniform distribution in q (Szegedy et al. 2016).
    class_weights : (k,) weight of each class, or None for equal weights.
    mixup : a > 0 trains on λ x + (1 − λ) x′ with losses mixed alike, x′ another image of the batch, λ ~ Beta(a, a)
        (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).
    penalties : are added, each under its own name; they ask for a model with `maps` and `head`. The parameters of
        those that are modules are this objective's own: they train beside the model.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        label_smoothing: float = 0.0,
        *,
        class_weights: Tensor | None = None,
        mixup: float = 0.0,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.penalties = tuple(penalties)
        self.learning = nn.ModuleList(p for p in penalties if isinstance(p, nn.Module))
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """`batch.x` (n, 3, h, w), `batch.y` (n,) → the losses by their names."""
        x, other, share = self._mixed(batch) if self.mixup else (batch.x, batch.y, 1.0)
        if self.penalties:
            transferred = cast(Transferred, model)
            seen = Seen(x, batch.y, transferred.maps(x))
            logits = transferred.head(seen.z)
            losses = {penalty.name: penalty(transferred, seen) for penalty in self.penalties}
        else:
            logits, losses = model(x), {}
        loss = self._loss(logits, batch.y)
        if self.mixup:
            loss = share * loss + (1 - share) * self._loss(logits, other)
        return {"cross_entropy": loss, **losses}

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, weight=self.class_weights, label_smoothing=self.label_smoothing)

    def _mixed(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        """Mixed images, the labels of their partners, and the share λ of the first ones."""
        share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
        order = torch.randperm(len(batch.y)).to(batch.y.device)
        return share * batch.x + (1 - share) * batch.x[order], batch.y[order], share
