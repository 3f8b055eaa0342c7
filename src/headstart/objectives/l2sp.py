"""L2-SP: what is fine-tuned is pulled towards the source's weights, not towards zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from headstart.objectives.penalty import Seen


class L2SP:
    """α/2 Σ ‖w − w⁰‖² over what trains of the backbone, plus β/2 Σ ‖v‖² over the head.

    w⁰ are the parameters of `source` as they are when this is made; v has no source, since the head is new.

    Parameters
    ----------
    source : the model before it is trained; parameters are matched by name, those of the head begin with ``head.``.
    alpha, beta : the two weights.

    Source: Li, Grandvalet & Davoine 2018, https://arxiv.org/abs/1802.01483; the weights are those of its experiments.

    Examples
    --------
    >>> model = nn.ModuleDict({"backbone": nn.Linear(1, 1, bias=False)})
    >>> penalty = L2SP(model, alpha=0.5)
    >>> with torch.no_grad():
    ...     _ = model["backbone"].weight.add_(2.0)
    >>> x = torch.zeros(1, 1)
    >>> round(penalty(model, Seen(x, torch.tensor([0]), {"top": x})).item(), 4)
    1.0
    """

    name = "l2sp"

    def __init__(self, source: nn.Module, *, alpha: float = 0.1, beta: float = 0.01) -> None:
        self.alpha, self.beta = alpha, beta
        self.source = {n: p.detach().clone() for n, p in source.named_parameters() if not n.startswith("head.")}

    def __call__(self, model: nn.Module, seen: Seen) -> Tensor:
        """The penalty of a model's parameters; of the batch nothing is looked at."""
        total = torch.zeros((), device=seen.z.device)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and name in self.source:
                total = total + self.alpha / 2 * (parameter - self.source[name]).square().sum()
            elif parameter.requires_grad and name.startswith("head."):
                total = total + self.beta / 2 * parameter.square().sum()
        return total
