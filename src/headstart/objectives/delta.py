"""DELTA: feature maps stay close to those of the source, whatever the weights do."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Backbone, Transferred
from headstart.objectives.penalty import Seen


class FeatureMaps:
    """α/2 times the mean over cuts j of D_j / N_j.

        D_j = mean over images x of Σ_c mean over positions of (F_jc(x) − F⁰_jc(x))²,
        N_j = mean over images x of Σ_c mean over positions of F⁰_jc(x)².

    F_jc is channel c of the activation at the j-th cut that trains (``top``, which is pooled, has one position),
    F⁰ the same of the source: a copy of `source` as it is when this is made, in evaluation mode, which runs on
    every batch and never trains.

    Every channel weighs the same. The paper weighs a channel by how much the loss rises without it, which takes a
    pass for each of some thousand channels; equal weights are its own ablation. It adds up D_j at four convolutions
    of a ResNet, without N_j: maps of other networks are so much larger that its weight would let nothing move.
    Here α is relative to the maps, and a value of this project's own. It shrinks the head too, which starts at
    random there; here the head was fitted first and may be large, and is left to the recipe's decay.

    Parameters
    ----------
    source : the model before it is trained.
    alpha : the weight.

    Source: Li et al. 2019, https://arxiv.org/abs/1901.09229.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> model = Transferred(load_random("test_efficientnet", size=32, seed=0), torch.nn.Linear(256, 3)).eval()
    >>> penalty, x = FeatureMaps(model), torch.ones(2, 3, 32, 32)
    >>> penalty(model, Seen(x, torch.tensor([0, 1]), model.maps(x))).item()
    0.0
    """

    name = "delta"

    def __init__(self, source: Transferred, *, alpha: float = 4.0) -> None:
        self.alpha = alpha
        self.source = source.twin().eval().requires_grad_(False)

    def __call__(self, model: Transferred, seen: Seen) -> Tensor:
        """How far the maps of a batch are from the source's."""
        with torch.no_grad():
            kept = self.source.maps(seen.x)
        total = torch.zeros((), device=seen.z.device)
        for cut, there in kept.items():
            apart, size = (_size(model.backbone, y) for y in (seen.maps[cut] - there, there))
            total = total + self.alpha / 2 * apart / size.clamp(min=1e-12) / len(kept)
        return total


def _size(backbone: Backbone, y: Tensor) -> Tensor:
    """Mean over images of the squared norm over channels, averaged over positions."""
    return backbone.pool(y.square()).sum(1).mean()
