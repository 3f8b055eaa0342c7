"""Deep CORAL: both domains have the same covariance of logits."""

from __future__ import annotations

from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both


class DeepCORAL:
    """‖C_s − C_t‖²_F / (‖C_s‖_F + ‖C_t‖_F)², C the (k, k) covariance of a batch's logits g, over n − 1; from 0 to 1.

    The paper divides by 4 k², for logits that begin near zero. A fitted head's are far larger, above all on images
    unlike those it was fitted to: by 4 k² the loss went to 10⁸ in the first epoch of digits-mnist towards digits-uci,
    and its weight is then nobody's to choose. `relative` says which of the two it is. As in the paper the last layer
    is aligned, not the features, whose covariance a small batch does not tell. A batch of one has none: zeros.

    Parameters
    ----------
    relative : divide by the size of the covariances; otherwise by 4 k², as in the paper.

    Source: Sun & Saenko 2016, https://arxiv.org/abs/1607.01719.

    Examples
    --------
    >>> import torch
    >>> from headstart.data.domains import UnlabelledBatch
    >>> g = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> none = UnlabelledBatch(g, g, torch.arange(2))
    >>> both = Both(g, g, g, 2 * g, torch.zeros(2, dtype=torch.int64), none, 0.5)
    >>> DeepCORAL()(None, both).item(), DeepCORAL(relative=False)(None, both).item()  # (8 − 2)² / (8 + 2)², / 16
    (0.36..., 2.25)
    """

    name = "deep_coral"

    def __init__(self, *, relative: bool = True) -> None:
        self.relative = relative

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The distance of the two covariances; the model is not looked at."""
        source, target = _covariance(both.g_s), _covariance(both.g_t)
        apart: Tensor = (source - target).square().sum()
        if not self.relative:
            return apart / (4 * len(source) ** 2)
        size: Tensor = source.norm() + target.norm()
        return apart / size.square().clamp(min=1e-12)


def _covariance(g: Tensor) -> Tensor:
    centred = g - g.mean(0)
    return centred.T @ centred / max(1, len(g) - 1)
