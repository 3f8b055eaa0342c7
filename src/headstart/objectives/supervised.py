"""Learning a task from its labels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.batches import Batch


class CrossEntropy(nn.Module):
    """Mean of −Σ_c q_c log p_c, where q mixes the label with the uniform distribution.

    Parameters
    ----------
    label_smoothing : share ε of the uniform distribution in q (Szegedy et al. 2016).
    class_weights : (k,) weight of each class, or None for equal weights.
    """

    class_weights: Tensor | None

    def __init__(self, label_smoothing: float = 0.0, *, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights)

    def forward(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """`batch.x` (n, 3, h, w), `batch.y` (n,) → the loss by its name."""
        logits = model(batch.x)
        loss = F.cross_entropy(logits, batch.y, weight=self.class_weights, label_smoothing=self.label_smoothing)
        return {"cross_entropy": loss}
