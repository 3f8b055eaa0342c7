"""Learning several tasks at once: one network, one linear head for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.data.batches import Batch
from headstart.problem import UNLABELLED


class JointCrossEntropy(nn.Module):
    """L = (1/m) Σ_t (1/n_t) Σ_{i labelled in t} −Σ_c q_itc log p_itc: every task weighs the same.

    p_it is the softmax of image i's logits of task t, and q_it mixes its label with the uniform distribution over
    the task's classes. n_t counts the images of the batch that have a label of t; a task without any adds nothing,
    and the others keep their weight 1/m. Of one task with all labels it is `CrossEntropy`.

    Parameters
    ----------
    sizes : classes of each task; a model's logits are those of the tasks side by side.
    label_smoothing : share ε of the uniform distribution in q.

    Source: hard parameter sharing, Caruana 1997, *Multitask Learning*, https://doi.org/10.1023/A:1007379606734;
    equal weights.
    """

    def __init__(self, sizes: Sequence[int], *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.label_smoothing = label_smoothing

    def forward(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """`batch.x` (n, 3, h, w), `batch.y` (n, m), −1 where an image has no label → one loss a task."""
        logits: tuple[Tensor, ...] = model(batch.x).split(self.sizes, 1)
        return {f"task_{t}": self._loss(own, batch.y[:, t]) / len(self.sizes) for t, own in enumerate(logits)}

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        total = F.cross_entropy(
            logits, y, ignore_index=UNLABELLED, label_smoothing=self.label_smoothing, reduction="sum"
        )
        return total / (y != UNLABELLED).sum().clamp(min=1)
