"""Classes that stand for themselves: each a seed patch with its transformations, or the labels of another task."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from headstart.data.related import Related, RelatedBatches
from headstart.objectives.surrogate.surrogate import embed, seeded_linear


class PseudoClasses(nn.Module):
    """L = mean over images of −log p(c | image), c the class of the image, p the softmax of a linear layer.

    With `clusters`, classes that look alike to the network are put together when half of the epochs are done: k-means
    on the unit features of the untransformed seeds, after which the linear layer starts anew on the clusters. Many
    classes of near copies, which nothing could tell apart, are what limits the number of classes otherwise.

    Parameters
    ----------
    width : of the features, d.
    classes : k; `batch.y` (n, 1) holds 0 … k − 1.
    clusters : fewer classes that these become; 0 leaves them.
    epochs : of the training, which `clusters` halves.
    seed : of the layer's first weights, and of k-means.

    Source: Dosovitskiy, Springenberg, Riedmiller & Brox 2014, https://arxiv.org/abs/1406.6909; clusters: the longer
    version with Fischer 2015, section 3.5.
    """

    merged: Tensor
    begun: Tensor

    def __init__(self, width: int, classes: int, *, clusters: int = 0, epochs: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.width, self.classes, self.clusters, self.epochs, self.seed = width, classes, clusters, epochs, seed
        self.head = seeded_linear([width, classes], seed=seed)
        self.register_buffer("merged", torch.arange(classes))
        self.register_buffer("begun", torch.zeros((), dtype=torch.long))

    def forward(self, model: nn.Module, batch: Related, progress: float) -> dict[str, Tensor]:
        """`batch.x` (n, 1, 3, h, w) → one loss."""
        logits, y = self._answers(model, batch)
        return {"classes": F.cross_entropy(logits, y)}

    def right(self, model: nn.Module, batch: Related) -> Tensor:
        """(n,): whether the class is named."""
        logits, y = self._answers(model, batch)
        return logits.argmax(1) == y

    def chance(self, batch: Related) -> float:
        """One in the number of classes that are left."""
        return 1 / len(self.merged.unique())

    def _answers(self, model: nn.Module, batch: Related) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.head(embed(model, batch.x)[:, 0])
        kept = len(self.merged.unique()) if self._clustered else self.classes
        return logits[:, :kept], self.merged[batch.y[:, 0]]

    @property
    def _clustered(self) -> bool:
        return bool(self.clusters) and self.epochs > 1 and int(self.begun) > self.epochs // 2

    @torch.no_grad()
    def at_epoch(self, model: Any, batches: RelatedBatches) -> None:
        """Count epochs; put classes together when half of them are done."""
        self.begun += 1
        if not self.clusters or self.epochs < 2 or int(self.begun) != self.epochs // 2 + 1:
            return
        was_training = model.training
        model.eval()
        found = torch.zeros(self.classes, self.width)
        for batch in batches.held(seed=self.seed, augmentation=None):
            found[batch.y[:, 0].cpu()] = F.normalize(embed(model, batch.x)[:, 0].float(), dim=1).cpu()
        model.train(was_training)
        with threadpool_limits(1):  # sums in another order would give other clusters
            labels = KMeans(self.clusters, n_init=1, random_state=self.seed).fit_predict(found.numpy())
        names = torch.unique(torch.from_numpy(labels).long(), return_inverse=True)[1]
        self.merged.copy_(names)
        fresh = seeded_linear([self.width, self.classes], seed=self.seed + 1)
        self.head.load_state_dict(fresh.state_dict())
