"""Co-Tuning: the source's own task goes on being learned, from what its classes say of the target's."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.errors import InternalError
from headstart.objectives.penalty import Seen, Start


class CoTuning(nn.Module):
    """λ times the mean over images of −Σ_s P(s | y) log softmax(C z)_s: a batch's classes y as the source names them.

    C is the source's classifier on the features z. It trains too, beside the model, and is not handed back with
    it. P is `relation` on the training images that the head was fitted to, before any step.

    The paper divides the source's logits by a temperature first, fitted on validation images of the source, which
    are not at hand here: the temperature is one. Of its two ways to P this is the direct one; the other one turns
    a logistic regression around. On images unlike the source's a classifier is far too sure: the loss may begin at
    several times the entropy of P, and then disturbs the first epochs.

    Parameters
    ----------
    start : what there is before the first step; the classifier is copied.
    weight : λ.

    Raises
    ------
    InternalError : the network has no classifier of its own.

    Source: You et al. 2020, *Co-Tuning for Transfer Learning*,
    https://proceedings.neurips.cc/paper/2020/hash/c8067ad1937f728f51288b3eb986afaa-Abstract.html; λ is that of the
    code at https://github.com/thuml/Transfer-Learning-Library.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> backbone = load_random("test_efficientnet", size=32, seed=0)
    >>> classifier = backbone.network.get_classifier()
    >>> model = Transferred(backbone, nn.Linear(256, 2))
    >>> penalty = CoTuning(Start(model, classifier, np.ones((4, 256), dtype="f4"), np.array([0, 0, 1, 1])))
    >>> x, y = torch.ones(2, 3, 32, 32), torch.tensor([0, 1])
    >>> round(penalty(model, Seen(x, y, model.maps(x))).item() / 2.3)  # log 1000, the random classifier's entropy
    7
    """

    name = "cotuning"
    relation: Tensor

    def __init__(self, start: Start, *, weight: float = 2.3) -> None:
        super().__init__()
        if start.classifier is None:
            raise InternalError("co-tuning was asked of a network without a classifier of its own")
        self.weight = weight
        self.classifier = copy.deepcopy(start.classifier).requires_grad_(True)
        device = self.classifier.weight.device
        with torch.no_grad():
            logits = start.classifier(torch.from_numpy(start.z).to(device)).double().cpu()
        known = relation(logits.softmax(1).numpy(), start.y, start.model.head.out_features)  # type: ignore[arg-type]
        self.register_buffer("relation", torch.from_numpy(known).float().to(device), persistent=False)

    def forward(self, model: Transferred, seen: Seen) -> Tensor:
        """The source's loss of a batch; the model is not looked at."""
        return self.weight * F.cross_entropy(self.classifier(seen.z), self.relation[seen.y])


def relation(theta: NDArray[np.float64], y: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """P(s | c) = mean of θᵢ[s] over the images i of class c, (k, classes of the source).

    A class without images has zeros.

    Parameters
    ----------
    theta : ``(n, classes of the source)``, the source's probabilities of each image.
    y : classes, ``(n,)``, from 0 to k − 1.

    Examples
    --------
    >>> relation(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]), np.array([0, 0, 1]), 2).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    members = np.eye(k)[y]
    found: NDArray[np.float64] = members.T @ theta / members.sum(0).clip(1)[:, None]
    return found
