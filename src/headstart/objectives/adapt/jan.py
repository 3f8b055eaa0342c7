"""JAN: both domains have the same joint distribution of features and predictions, under kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both
from headstart.objectives.adapt.kernels import discrepancy, distances, gaussians

VARIANCE = 0.84
"""σ² of the kernel on predictions, which lie in a simplex and need no width of their own: the authors' 2 σ² = 1.68."""


class JAN:
    """Joint MMD² = mean K_ss + mean K_tt − 2 mean K_st, K_ij = K(z_i, z_j) exp(−‖p_i − p_j‖² / (2 σ²)).

    K(z_i, z_j) is the mean of five Gaussian kernels (`gaussians`), p = softmax(g), σ² = 0.84. All pairs count, where
    the paper takes an estimate of linear time.

    Source: Long et al. 2017, https://arxiv.org/abs/1605.06636; σ² as in the authors' code.

    Examples
    --------
    >>> from headstart.data.domains import UnlabelledBatch
    >>> z, g = torch.eye(4), torch.zeros(4, 2)
    >>> none = UnlabelledBatch(z, z, torch.arange(4))
    >>> JAN()(None, Both(z, z, g, g, torch.zeros(4, dtype=torch.int64), none, 0.5)).item()
    0.0
    """

    name = "jan"

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The joint discrepancy of both batches; the model is not looked at."""
        p = torch.cat([both.g_s, both.g_t]).softmax(1)
        of_predictions = torch.exp(-distances(p) / (2 * VARIANCE))
        return discrepancy(gaussians(torch.cat([both.z_s, both.z_t])) * of_predictions, len(both.z_s))
