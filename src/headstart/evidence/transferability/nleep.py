"""NLEEP: LEEP with the clusters of a Gaussian mixture in place of the source's classes."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.ridge import span
from headstart.evidence.transferability import leep
from headstart.evidence.transferability.checking import Doubles, checked

CLUSTERS = 5
"""Clusters a class."""

VARIANCE = 0.8
"""Share of the features' variance that the principal components keep."""


def nleep(z: Floats, y: Classes, *, seed: int = 0) -> float:
    """LEEP of the responsibilities of a Gaussian mixture, in nats an image; at most 0, higher is better.

    Features are projected to the principal components that hold `VARIANCE` of their variance; a mixture
    of v = 5k Gaussians (k classes) is fitted to them without labels; θᵢ[v] = P(v | zᵢ) are the
    responsibilities, and the score is `leep`'s. Li, Jia, Sang, Zhu, Green, Wang & Gong, *Ranking Neural
    Checkpoints*, CVPR 2021.

    The paper leaves the covariances open. They are diagonal here, and there are at most n/2 clusters:
    small data do not determine more. Images are sorted by their features first, so that their order
    does not decide where the mixture starts.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes, ``(n,)``.
    seed : of the mixture's start.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> z = np.repeat([[0.0, 0.0], [0.0, 9.0]], 20, axis=0) + np.linspace(0, 1, 40)[:, None]
    >>> nleep(z, np.repeat([0, 1], 20)) > -1e-6
    True
    """
    return float(contributions(z, y, seed=seed).mean())


def contributions(z: Floats, y: Classes, *, seed: int = 0) -> Doubles:
    """What each image adds to the mean, (n,)."""
    features, index = checked(z, y)
    order = np.lexsort(features.T)
    theta = np.empty((len(features), min(CLUSTERS * (int(index.max()) + 1), len(features) // 2)))
    theta[order] = _responsibilities(_principal(features[order]), clusters=theta.shape[1], seed=seed)
    return leep.contributions(theta, y)


def _principal(features: Doubles) -> Doubles:
    """The first principal components, (n, r), that hold `VARIANCE` of the variance."""
    basis, values = span(features - features.mean(axis=0))
    basis, values = basis[:, ::-1], values[::-1]
    if not len(values):
        return np.zeros((len(features), 1))
    held = np.cumsum(values) / values.sum()
    r = int(np.searchsorted(held, VARIANCE)) + 1
    components = basis[:, :r] * np.sqrt(values[:r])
    return np.asarray(components / np.sqrt(values[0] / len(features)))


def _responsibilities(x: Doubles, *, clusters: int, seed: int) -> Doubles:
    mixture = GaussianMixture(clusters, covariance_type="diag", random_state=seed)
    with warnings.catch_warnings():
        # Constant features leave fewer distinct points than clusters; the last step is as good as any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found: Doubles = mixture.fit(x).predict_proba(x)
    return found
