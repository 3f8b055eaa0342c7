"""MCC: the target's images are not half one class and half another."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both


class MCC:
    """(1/k) Σ_c Σ_{c′ ≠ c} C̃_cc′, the class confusion of the target's batch.

        p_i = softmax(g_i / T);  w_i = n (1 + exp(−H(p_i))) / Σ_j (1 + exp(−H(p_j)));
        C_cc′ = Σ_i w_i p_ic p_ic′;  C̃_cc′ = C_cc′ / Σ_c″ C_cc″

    H(p) = −Σ_c p_c log p_c; the weights w take no gradient. The source's batch is not looked at.

    Parameters
    ----------
    temperature : T.

    Source: Jin et al. 2020, https://arxiv.org/abs/1912.03699; T is that of its experiments on Office.

    Examples
    --------
    >>> from headstart.data.domains import UnlabelledBatch
    >>> g = torch.zeros(3, 2)
    >>> none = UnlabelledBatch(g, g, torch.arange(3))
    >>> MCC()(None, Both(g, g, g, g, torch.zeros(3, dtype=torch.int64), none, 0.5)).item()
    0.5
    """

    name = "mcc"

    def __init__(self, *, temperature: float = 2.5) -> None:
        self.temperature = temperature

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The confusion of the target's batch; the model is not looked at."""
        p = (both.g_t / self.temperature).softmax(1)
        sure = 1 + torch.exp(torch.special.entr(p.detach()).sum(1).neg())
        weights = len(p) * sure / sure.sum()
        confusion = (weights.unsqueeze(1) * p).T @ p
        confusion = confusion / confusion.sum(1, keepdim=True)
        return (confusion.sum() - confusion.diagonal().sum()) / p.shape[1]
