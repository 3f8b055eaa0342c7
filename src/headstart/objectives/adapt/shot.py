"""SHOT: the source's images are gone; its classifier stays, and the target's features come to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatch, UnlabelledBatches
from headstart.objectives.adapt.looking import look
from headstart.objectives.penalty import Penalty, Seen


class SHOT(nn.Module):
    """mean H(p_i) − H(p̄) + β mean of −log p_i[ŷ_i], p = softmax(g) on the target's images alone.

    H(p) = −Σ_c p_c log p_c and p̄ = mean of p_i over the batch: every prediction is sure, and together they are
    spread over the classes. ŷ are `nearest_centroids`, found anew before each epoch on the images as they are.

    The classifier takes no gradient: make the model with a head that does not train. A batch holds no label and no
    image of the source, by its type.

    Parameters
    ----------
    beta : β.
    penalties : of the model on the target's batch, e.g. `L2SP` towards the source's model.

    Source: Liang, Hu & Feng 2020, https://arxiv.org/abs/2002.08546; β is that of its experiments on objects.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> model = Transferred(load_random("test_efficientnet", size=32, seed=0), nn.Linear(256, 2))
    >>> _ = model.head.requires_grad_(False)
    >>> x = torch.rand(3, 3, 32, 32)
    >>> list(SHOT()(model, UnlabelledBatch(x, x, torch.arange(3)), 0.0))
    ['entropy', 'diversity', 'pseudo_labels']
    """

    labels: Tensor

    def __init__(self, *, beta: float = 0.3, penalties: Sequence[Penalty] = ()) -> None:
        super().__init__()
        self.beta = beta
        self.penalties = tuple(penalties)
        self.learning = nn.ModuleList(p for p in penalties if isinstance(p, nn.Module))
        self.register_buffer("labels", torch.empty(0, dtype=torch.int64), persistent=False)

    def at_epoch(self, model: Transferred, batches: UnlabelledBatches) -> None:
        """Label all images of the target by their centroids."""
        z, g = look(model, batches)
        self.labels = nearest_centroids(z, g.softmax(1))

    def forward(self, model: Transferred, batch: UnlabelledBatch, progress: float) -> dict[str, Tensor]:
        """The target's images → the losses by their names."""
        maps = model.maps(batch.x) if self.penalties else {"top": model.features(batch.x)}
        g = model.head(maps["top"])
        p = g.softmax(1)
        y = self.labels[batch.numbers] if len(self.labels) else g.argmax(1)
        seen = Seen(batch.x, y, maps)
        return {
            "entropy": -(p * g.log_softmax(1)).sum(1).mean(),
            "diversity": (p.mean(0) * p.mean(0).clamp(min=1e-12).log()).sum(),
            "pseudo_labels": self.beta * F.cross_entropy(g, y),
            **{penalty.name: penalty(model, seen) for penalty in self.penalties},
        }


def nearest_centroids(z: Tensor, p: Tensor) -> Tensor:
    """(n,) classes by the nearest of centroids that predictions weigh, then of those that the classes so found have.

        m_c = Σ_i p_ic z_i / Σ_i p_ic;  ŷ_i = argmax_c cos(z_i, m_c);
        m′_c = mean of z_i with ŷ_i = c;  ŷ′_i = argmax_c cos(z_i, m′_c)

    z are features of length one, as in the authors' code. A class that no image is nearest to in the first round has
    no centroid in the second.

    Parameters
    ----------
    z, p : (n, d) features and (n, k) probabilities.

    Source: Liang, Hu & Feng 2020, equations 4 and 5.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> nearest_centroids(z, torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.1, 0.9]])).tolist()
    [0, 0, 1]
    """
    z, weights = F.normalize(z.double(), dim=1), p.double()
    y = torch.zeros(len(z), dtype=torch.int64, device=z.device)
    for _ in range(2):
        centroids = F.normalize(weights.T @ z, dim=1)
        cosine = (z @ centroids.T).masked_fill(weights.sum(0) == 0, -2.0)
        y = cosine.argmax(1)
        weights = F.one_hot(y, p.shape[1]).double()
    return y
