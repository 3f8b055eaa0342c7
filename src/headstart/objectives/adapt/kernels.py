"""Several Gaussian kernels at once, and the discrepancy of two samples under a kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""Multiples of the mean squared distance that are taken for σ²; those of Long et al.'s own experiments."""


def gaussians(x: Tensor, *, factors: Sequence[float] = FACTORS) -> Tensor:
    """K_ij = mean over u of exp(−‖x_i − x_j‖² / (2 f_u m)), (n, n).

    m is the mean of ‖x_i − x_j‖² over i ≠ j, without a gradient.

    Parameters
    ----------
    x : (n, d) rows of both samples together.
    factors : f_u.
    """
    squared = distances(x)
    n = len(x)
    mean = (squared.sum() / (n * (n - 1))).detach().clamp(min=1e-12)
    return torch.stack([torch.exp(-squared / (2 * factor * mean)) for factor in factors]).mean(0)


def distances(x: Tensor) -> Tensor:
    """‖x_i − x_j‖² of all rows, (n, n)."""
    return (x.unsqueeze(1) - x.unsqueeze(0)).square().sum(2)


def discrepancy(kernel: Tensor, n_s: int) -> Tensor:
    """MMD² = mean K_ss + mean K_tt − 2 mean K_st: the biased estimate, which is never negative.

    Parameters
    ----------
    kernel : (n, n) over the rows of both samples, the source's `n_s` first.

    Source: Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html, equation 5.

    >>> discrepancy(gaussians(torch.tensor([[0.0], [1.0], [0.0], [1.0]])), 2).item()
    0.0
    """
    return kernel[:n_s, :n_s].mean() + kernel[n_s:, n_s:].mean() - 2 * kernel[:n_s, n_s:].mean()
