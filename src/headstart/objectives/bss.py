"""Batch spectral shrinkage: directions of feature space that hardly carry anything are given up."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.penalty import Seen


class BatchSpectralShrinkage:
    """η Σ σ²_{−i}, i = 1 … k: the k smallest singular values of a batch's features Z (n, d).

    Parameters
    ----------
    eta : the weight.
    k : how many singular values, at most min(n, d).

    Source: Chen et al. 2019, *Catastrophic forgetting meets negative transfer*,
    https://papers.nips.cc/paper/8466; η and k are those of its experiments.

    Examples
    --------
    >>> z = torch.diag(torch.tensor([3.0, 2.0]))
    >>> seen = Seen(z, torch.tensor([0, 1]), {"top": z})
    >>> round(float(BatchSpectralShrinkage(eta=0.5)(torch.nn.Identity(), seen)), 6)
    2.0
    """

    name = "bss"

    def __init__(self, *, eta: float = 1e-3, k: int = 1) -> None:
        self.eta, self.k = eta, k

    def __call__(self, model: Transferred, seen: Seen) -> Tensor:
        """The penalty of a batch's features; the model is not looked at."""
        smallest: Tensor = torch.linalg.svdvals(seen.z.float())[-self.k :]
        return self.eta * smallest.square().sum()
