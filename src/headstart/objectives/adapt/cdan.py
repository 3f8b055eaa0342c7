"""CDAN: the discriminator also sees which class the model takes an image for."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.reversal import discriminator, ramp, reverse

WIDEST, DRAWN = 4096, 1024
"""Width of z ⊗ p up to which it is taken as it is, and number of random products that stand for a wider one."""


class CDAN(nn.Module):
    """½ Σ w_s ℓ(D(R(T(z_s, p_s)))) + ½ Σ w_t ℓ′(D(R(T(z_t, p_t)))), p = softmax(g) without a gradient.

        T(z, p) = z ⊗ p, (n, d k); where d k > 4096, (A z) ⊙ (B p) / √1024 with fixed normal A (1024, d), B (1024, k)
        w ∝ 1 + exp(−H(p)), summing to one over each domain's batch; H(p) = −Σ_c p_c log p_c

    ℓ = −log D and ℓ′ = −log(1 − D); D and R are those of `DANN`.

    Parameters
    ----------
    d, k : width of the features z, and number of classes.
    entropy : whether images the model is sure of weigh more (CDAN+E); otherwise w is uniform.

    Source: Long et al. 2018, https://arxiv.org/abs/1705.10667; p takes no gradient, as in the authors' code.

    Examples
    --------
    >>> from headstart.data.domains import UnlabelledBatch
    >>> z, g = torch.rand(4, 8), torch.zeros(4, 2)
    >>> none = UnlabelledBatch(z, z, torch.arange(4))
    >>> loss = CDAN(8, 2)(None, Both(z, z, g, g, torch.zeros(4, dtype=torch.int64), none, 0.5))
    >>> abs(round(loss.item(), 1))
    0.7
    """

    name = "cdan"

    def __init__(self, d: int, k: int, *, entropy: bool = True) -> None:
        super().__init__()
        self.entropy = entropy
        self.drawn = d * k > WIDEST
        if self.drawn:
            self.register_buffer("a", torch.randn(DRAWN, d))
            self.register_buffer("b", torch.randn(DRAWN, k))
        self.discriminator = discriminator(DRAWN if self.drawn else d * k)

    def forward(self, model: Transferred, both: Both) -> Tensor:
        """The discriminator's loss; the model is not looked at."""
        strength = ramp(both.progress)
        total = torch.zeros((), device=both.z_s.device)
        for z, g, sign in ((both.z_s, both.g_s, -1), (both.z_t, both.g_t, 1)):
            p = g.detach().softmax(1)
            of = self.discriminator(reverse(self._joined(z, p), strength)).squeeze(1)
            total = total + (self._weights(p) * F.softplus(sign * of)).sum() / 2
        return total

    def _joined(self, z: Tensor, p: Tensor) -> Tensor:
        if self.drawn:
            return (z @ self.a.T) * (p @ self.b.T) / math.sqrt(DRAWN)  # type: ignore[operator]
        return (z.unsqueeze(2) * p.unsqueeze(1)).flatten(1)

    def _weights(self, p: Tensor) -> Tensor:
        if not self.entropy:
            return p.new_full((len(p),), 1 / len(p))
        sure = 1 + torch.exp(torch.special.entr(p).sum(1).neg())
        return sure / sure.sum()
