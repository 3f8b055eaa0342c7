"""How alike two representations of the same images are, and how much a feature says of their classes."""

from __future__ import annotations

import numpy as np

from headstart.evidence.metrics import Classes, Floats

FEWEST = 4
"""Images: the estimate is a mean over four different ones."""


def linear_cka(x: Floats, y: Floats) -> float | None:
    """Linear centred kernel alignment of two sets of features: 1 where one is a rotation and scaling of the other.

        CKA = HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)),  K = x xᵀ,  L = y yᵀ

    with the unbiased estimate of HSIC: without that, independent features of few images look alike the more, the wider
    they are. It may fall a little below 0. 0 where one of them does not vary; None of fewer than four images.

    Source: Kornblith et al. 2019, https://arxiv.org/abs/1905.00414; the estimate: Song et al. 2012, JMLR 13, eq. 5.

    Parameters
    ----------
    x, y : features of the same n images, ``(n, d)`` and ``(n, e)``.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(linear_cka(x, 2 * x @ np.linalg.qr(np.ones((3, 3)) + np.eye(3))[0]), 6)
    1.0
    """
    if len(x) < FEWEST:
        return None
    k, m = (_without_diagonal(z) for z in (x, y))
    scale = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / np.sqrt(scale)) if scale > 0 else 0.0


def _without_diagonal(z: Floats) -> Floats:
    z = np.asarray(z, dtype=np.float64)
    z = z - z.mean(axis=0)
    gram = z @ z.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _hsic(k: Floats, m: Floats) -> float:
    n = len(k)
    both = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * (k.sum(0) @ m.sum(0)) / (n - 2)
    return float(((k * m).sum() + both) / (n * (n - 3)))


def between_classes(z: Floats, y: Classes) -> Floats:
    """Share of each feature's variance that lies between classes (η²), ``(d,)``: 1 tells a class exactly, 0 nothing.

    Of a feature that does not vary it is 0.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.

    Examples
    --------
    >>> between_classes(np.array([[0.0, 1.0], [0.0, 3.0], [1.0, 1.0], [1.0, 3.0]]), np.array([0, 0, 1, 1])).tolist()
    [1.0, 0.0]
    """
    z = np.asarray(z, dtype=np.float64)
    centred = z - z.mean(axis=0)
    total = np.square(centred).sum(axis=0)
    between = np.zeros(z.shape[1])
    for k in np.unique(y):
        own = centred[y == k]
        between += len(own) * np.square(own.mean(axis=0))
    found: Floats = np.divide(between, total, out=np.zeros_like(total), where=total > 1e-12 * max(1, len(z)))
    return found
