"""DAN: both domains have the same mean in the space of several Gaussian kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.kernels import discrepancy, gaussians


class DAN:
    """MMD²(z_s, z_t) = mean K_ss + mean K_tt − 2 mean K_st, K the mean of five Gaussian kernels.

    Their widths are multiples of the mean squared distance in the two batches (`gaussians`). The paper weighs the
    kernels by what tells the domains apart best, and takes an estimate of linear time, for batches of its size; here
    they weigh the same and all pairs count. It aligns several layers; here, the features that the head reads.

    Source: Long et al. 2015, https://arxiv.org/abs/1502.02791.

    Examples
    --------
    >>> from headstart.data.domains import UnlabelledBatch
    >>> z, g = torch.eye(4), torch.zeros(4, 2)
    >>> none = UnlabelledBatch(z, z, torch.arange(4))
    >>> DAN()(None, Both(z, z, g, g, torch.zeros(4, dtype=torch.int64), none, 0.5)).item()
    0.0
    """

    name = "dan"

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The discrepancy of both batches; the model is not looked at."""
        return discrepancy(gaussians(torch.cat([both.z_s, both.z_t])), len(both.z_s))
