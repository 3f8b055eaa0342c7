"""Deep CORAL: both domains have the same covariance of logits."""

from __future__ import annotations

from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both


class DeepCORAL:
    """‖C_s − C_t‖²_F / (4 k²), C the (k, k) covariance of a batch's logits g, over n − 1.

    As in the paper the last layer is aligned, not the features: k² is then the number of entries, whatever the
    network's width. A batch of one has no covariance: zeros.

    Source: Sun & Saenko 2016, https://arxiv.org/abs/1607.01719.

    Examples
    --------
    >>> import torch
    >>> from headstart.data.domains import UnlabelledBatch
    >>> g = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> none = UnlabelledBatch(g, g, torch.arange(2))
    >>> DeepCORAL()(None, Both(g, g, g, 2 * g, torch.zeros(2, dtype=torch.int64), none, 0.5)).item()  # (8 − 2)² / 16
    2.25
    """

    name = "deep_coral"

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The distance of the two covariances; the model is not looked at."""
        apart = _covariance(both.g_s) - _covariance(both.g_t)
        return apart.square().sum() / (4 * both.g_s.shape[1] ** 2)


def _covariance(g: Tensor) -> Tensor:
    centred = g - g.mean(0)
    return centred.T @ centred / max(1, len(g) - 1)
