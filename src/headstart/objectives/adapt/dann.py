"""DANN: features that a discriminator cannot tell the domain of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.reversal import discriminator, ramp, reverse


class DANN(nn.Module):
    """½ mean of −log D(R(z_s)) + ½ mean of −log(1 − D(R(z_t))).

    D is a discriminator that gives the probability of the source; it trains beside the model. R is the identity with
    a gradient of −λ, λ = 2 / (1 + exp(−10 p)) − 1 at progress p, so that the model raises what D lowers.

    The paper adds up both means; half of each keeps the loss at log 2 where nothing can be told apart.

    Parameters
    ----------
    d : width of the features z.

    Source: Ganin et al. 2016, https://jmlr.org/papers/v17/15-239.html.

    Examples
    --------
    >>> import torch
    >>> from headstart.data.domains import UnlabelledBatch
    >>> z, g = torch.rand(4, 8), torch.zeros(4, 2)
    >>> none = UnlabelledBatch(z, z, torch.arange(4))
    >>> loss = DANN(8)(None, Both(z, z, g, g, torch.zeros(4, dtype=torch.int64), none, 0.5))
    >>> abs(round(loss.item(), 1))
    0.7
    """

    name = "dann"

    def __init__(self, d: int) -> None:
        super().__init__()
        self.discriminator = discriminator(d)

    def forward(self, model: Transferred, both: Both) -> Tensor:
        """The discriminator's loss; the model is not looked at."""
        strength = ramp(both.progress)
        of_source, of_target = (self.discriminator(reverse(z, strength)) for z in (both.z_s, both.z_t))
        return (F.softplus(-of_source).mean() + F.softplus(of_target).mean()) / 2
