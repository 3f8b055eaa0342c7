"""Gradient reversal: what follows it learns to tell domains apart, what comes before learns to prevent it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def ramp(progress: float, *, gamma: float = 10.0) -> float:
    """2 / (1 + exp(−γ p)) − 1: from 0 to nearly 1 over the training, p its progress.

    Source: Ganin et al. 2016, section 5.2.2, https://jmlr.org/papers/v17/15-239.html.

    >>> round(ramp(0.0), 3), round(ramp(0.1), 3), round(ramp(1.0), 3)
    (0.0, 0.462, 1.0)
    """
    return 2 / (1 + math.exp(-gamma * progress)) - 1


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse(z: Tensor, strength: float) -> Tensor:
    """Z as it is; its gradient times −`strength`.

    >>> z = torch.ones(2, requires_grad=True)
    >>> reverse(z, 0.5).sum().backward()
    >>> z.grad.tolist()
    [-0.5, -0.5]
    """
    reversed_: Tensor = _Reverse.apply(z, strength)
    return reversed_


def discriminator(d: int, *, width: int = 256) -> nn.Sequential:
    """(n, d) → (n, 1): the logit of an image being the source's, through two hidden layers.

    A quarter of the papers' width, which are for tens of thousands of images, and without their dropout.
    """
    hidden = (nn.Linear(d, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return nn.Sequential(*hidden, nn.Linear(width, 1))
