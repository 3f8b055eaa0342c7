"""MDD: no second head can agree with the first one on the source and disagree on the target."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.reversal import ramp, reverse

WIDTH = 256


class MDD(nn.Module):
    """γ mean of −log p′_s[ŷ_s] + mean of −log(1 − p′_t[ŷ_t]), p′ = softmax(F(R(z))), ŷ = argmax g.

    F is a second head of two layers, which begins at random and trains beside the model. R is the identity with a
    gradient of −λ, λ = 0.1 (2 / (1 + exp(−10 p)) − 1) at progress p: F learns to disagree on the target alone, and
    the model to leave it no way to.

    Parameters
    ----------
    d, k : width of the features z, and number of classes.
    margin : γ.

    Source: Zhang et al. 2019, https://arxiv.org/abs/1904.05801; γ and the 0.1 are those of its experiments.

    Examples
    --------
    >>> from headstart.data.domains import UnlabelledBatch
    >>> z, g = torch.rand(3, 4), torch.zeros(3, 2)
    >>> mdd = MDD(4, 2)
    >>> _ = nn.init.zeros_(mdd.head[-1].weight), nn.init.zeros_(mdd.head[-1].bias)
    >>> none = UnlabelledBatch(z, z, torch.arange(3))
    >>> round(mdd(None, Both(z, z, g, g, torch.zeros(3, dtype=torch.int64), none, 0.5)).item(), 3)  # 5 log 2
    3.466
    """

    name = "mdd"

    def __init__(self, d: int, k: int, *, margin: float = 4.0) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(d, WIDTH), nn.ReLU(), nn.Linear(WIDTH, k))
        self.margin = margin

    def forward(self, model: Transferred, both: Both) -> Tensor:
        """The disparity of the two heads; the model is not looked at."""
        strength = 0.1 * ramp(both.progress)
        other_s, other_t = (self.head(reverse(z, strength)) for z in (both.z_s, both.z_t))
        agree: Tensor = F.cross_entropy(other_s, both.g_s.argmax(1))
        others = other_t.scatter(1, both.g_t.argmax(1, keepdim=True), -torch.inf)
        disagree: Tensor = (other_t.logsumexp(1) - others.logsumexp(1)).mean()
        return self.margin * agree + disagree
