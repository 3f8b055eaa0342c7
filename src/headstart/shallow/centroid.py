"""The nearest class mean."""

from __future__ import annotations

import numpy as np

from headstart.evidence.ridge import centre_and_scale
from headstart.shallow.linear import Doubles, Indices, LinearHead, Singles, fold_in


class CentroidHead(LinearHead):
    """The class whose mean μ_c is nearest, by Euclidean distance between standardised features.

    −‖z − μ_c‖²/2 = z·μ_c − ‖μ_c‖²/2 + (a term that all classes share), so the head is linear in z. The
    logits are divided by √d, which keeps them, and the temperature, of one order at every width. The
    head of choice for a handful of images a class: it estimates nothing but k means. Mensink et al.,
    *Distance-Based Image Classification*, PAMI 2013; Snell et al., *Prototypical Networks*, NeurIPS 2017.

    Parameters
    ----------
    temperature : divides the logits before the softmax.

    Examples
    --------
    >>> z = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> CentroidHead().fit(z, [0, 0, 1, 1]).predict([[2.0], [8.0]]).tolist()
    [0, 1]
    """

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        mean, scale = centre_and_scale(z)
        means = (class_means(z, index, k) - mean) / scale
        width = np.sqrt(z.shape[1])
        return fold_in(means / width, -np.square(means).sum(axis=1) / (2 * width), mean, scale)


def class_means(z: Singles, index: Indices, k: int) -> Doubles:
    """Mean features of the classes, ``(k, d)``."""
    counts = np.bincount(index, minlength=k)[:, None]
    return np.stack([z[index == c].sum(axis=0, dtype=np.float64) for c in range(k)]) / counts
