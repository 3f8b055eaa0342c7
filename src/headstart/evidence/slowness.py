"""How slowly features change from frame to frame, and the slowest directions in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Doubles = NDArray[np.float64]

SPANNED = 1e-7
"""Directions whose variance is below this share of the largest are not spanned by the frames."""


@dataclass(frozen=True, eq=False)
class SlowDirections:
    """Linear slow features y = (x − mean) W, of unit variance and uncorrelated, the slowest first.

    Attributes
    ----------
    weight : W (d, k).
    mean : (d,).
    slowness : Δ of each, mean squared change from one frame to the next, (k,).
    """

    weight: Doubles
    mean: Doubles
    slowness: Doubles

    def transform(self, x: NDArray[np.floating]) -> Doubles:
        """(n, d) → (n, k)."""
        found: Doubles = (x - self.mean) @ self.weight
        return found


def linear_sfa(x: NDArray[np.floating], pairs: NDArray[np.intp], *, k: int | None = None) -> SlowDirections:
    """Linear slow feature analysis: A w = Δ B w, A the mean of ẋẋᵀ over neighbouring frames, B the covariance of x.

    Solved by whitening: with B = V S Vᵀ over the directions that the frames span, the eigenvectors of
    S^-½ Vᵀ A V S^-½, smallest eigenvalue first.

    Parameters
    ----------
    x : features of n frames, (n, d).
    pairs : numbers of frames that follow one another, (m, 2).
    k : how many directions; all that are spanned by default.

    Source: Wiskott & Sejnowski 2002, https://doi.org/10.1162/089976602317318938.

    Examples
    --------
    >>> t = np.linspace(0, 2 * np.pi, 200)
    >>> x = np.stack([np.sin(t) + np.sin(20 * t), np.sin(20 * t)], axis=1)
    >>> slow = linear_sfa(x, np.stack([np.arange(199), np.arange(1, 200)], axis=1))
    >>> y = slow.transform(x)[:, 0]
    >>> round(float(abs(np.corrcoef(y, np.sin(t))[0, 1])), 3)
    1.0
    """
    x = np.asarray(x, dtype=np.float64)
    mean = x.mean(axis=0)
    variances, axes = eigh(np.cov(x, rowvar=False, bias=True).reshape(x.shape[1], -1))
    spanned = variances > SPANNED * variances[-1]
    white = axes[:, spanned] / np.sqrt(variances[spanned])
    change = (x[pairs[:, 1]] - x[pairs[:, 0]]) @ white
    slowness, turned = eigh(change.T @ change / len(pairs))
    return SlowDirections((white @ turned)[:, :k], mean, slowness[:k])


def slowness(z: NDArray[np.floating], pairs: NDArray[np.intp]) -> float:
    """Δ of features (n, d): squared change from frame to frame over their variance, both summed over features.

    0 where nothing changes, 2 where the next frame has nothing to do with this one.
    """
    z = np.asarray(z, dtype=np.float64)
    change = np.square(z[pairs[:, 1]] - z[pairs[:, 0]]).sum(axis=1).mean()
    spread = z.var(axis=0).sum()
    return float(change / spread) if spread > 0 else 0.0
