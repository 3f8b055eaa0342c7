"""Pseudo-labels: the surest predictions of every class on the target are learned like labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatches
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.looking import look

FIRST, MORE, MOST = 0.2, 0.05, 0.5
"""Share of each class's predictions that is taken in the first epoch, what each epoch adds, and the most."""


class PseudoLabels(nn.Module):
    """Mean over images of [taken] −log softmax(g_t)[ŷ], ŷ the label an image was given before this epoch.

    Before each epoch ŷ = argmax of the model's prediction p on every image of the target as it is. Of the n_c images
    with ŷ = c, those with the ⌈s n_c⌉ highest p_c are taken: a share of every class and not a threshold, so that
    classes that the model is never sure of are not crowded out. s begins at 0.2 and grows by 0.05 an epoch to 0.5.

    Source: class-balanced self-training, Zou et al. 2018, https://arxiv.org/abs/1810.07911, on images instead of
    pixels; the shares are those of its experiments. Pseudo-labels are from Lee 2013.
    """

    name = "pseudo_labels"
    rounds: Tensor
    labels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rounds", torch.zeros((), dtype=torch.int64))
        self.register_buffer("labels", torch.empty(0, dtype=torch.int64), persistent=False)

    def label(self, model: Transferred, images: UnlabelledBatches) -> None:
        """Give the surest images of each class its label."""
        share = min(MOST, FIRST + MORE * int(self.rounds))
        self.labels = surest(look(model, images)[1].softmax(1), share)
        self.rounds += 1

    def forward(self, model: Transferred, both: Both) -> Tensor:
        """The loss of the images that have a label; 0 before any has."""
        if not len(self.labels):
            return torch.zeros((), device=both.g_t.device)
        y = self.labels[both.target.numbers]
        losses = F.cross_entropy(both.g_t, y, ignore_index=-1, reduction="sum")
        return losses / len(y)


def surest(p: Tensor, share: float) -> Tensor:
    """(n,) classes of the surest `share` of the images predicted as each class, −1 for the others.

    Parameters
    ----------
    p : (n, k) probabilities.

    Examples
    --------
    >>> surest(torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]]), 0.5).tolist()
    [0, 0, -1, 1]
    """
    best, predicted = p.max(1)
    labels = torch.full_like(predicted, -1)
    for c in predicted.unique():
        members = (predicted == c).nonzero().squeeze(1)
        order = best[members].argsort(descending=True, stable=True)
        # The product of two such numbers may lie a hair above the whole one that it is.
        labels[members[order[: math.ceil(share * len(members) - 1e-9)]]] = c
    return labels
