"""A vote among the most similar training images."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.evidence.calibration import softmax
from headstart.shallow.linear import Doubles, Indices, Singles, two_classes

SHARPNESS = 0.07
"""Votes are weighted by exp(cosine / 0.07), as in Wu et al. 2018."""

SMOOTHING = 0.5
"""Votes that every class has from the start, so that no class is impossible."""


class NeighboursHead(ClassifierMixin, BaseEstimator):
    """The K training images of highest cosine cᵢ vote for their class, closer ones louder.

        share_c = Σ_{i: yᵢ = c} exp(cᵢ/τ) / Σᵢ exp(cᵢ/τ),   logit_c = log(K share_c + 1/2),   τ = 0.07,

    sums over the K neighbours. At temperature 1 the probabilities are the smoothed shares. Nothing is
    trained, and the whole training set is kept. Wu et al., *Instance Discrimination*, CVPR 2018.

    Parameters
    ----------
    n_neighbours : K; all images where there are fewer.
    temperature : divides the logits before the softmax.

    Attributes
    ----------
    classes_ : sorted labels, ``(k,)``.
    features_ : training features of length one, ``(n, d)``.
    labels_ : places in ``classes_``, ``(n,)``.

    Examples
    --------
    >>> z = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    >>> NeighboursHead(2).fit(z, [0, 0, 1, 1]).predict([[5.0, 0.0], [0.0, 0.2]]).tolist()
    [0, 1]
    """

    classes_: NDArray[Any]
    features_: Singles
    labels_: Indices

    def __init__(self, n_neighbours: int = 10, *, temperature: float = 1.0) -> None:
        self.n_neighbours = n_neighbours
        self.temperature = temperature

    def fit(self, z: ArrayLike, y: ArrayLike) -> Self:
        """Keep features ``(n, d)`` and labels ``(n,)``; errors as in `LinearHead.fit`."""
        features, labels = validate_data(self, z, y, dtype=np.float32)
        self.classes_, self.labels_ = two_classes(labels)
        self.features_ = of_length_one(features)
        self._index = NearestNeighbors(algorithm="brute").fit(self.features_)
        return self

    def decision_function(self, z: ArrayLike) -> Doubles:
        """Logits before the temperature, ``(n, k)``."""
        check_is_fitted(self)
        features = of_length_one(validate_data(self, z, dtype=np.float32, reset=False))
        count = min(int(self.n_neighbours), len(self.labels_))
        distance, nearest = self._index.kneighbors(features, n_neighbors=count)
        # Between vectors of length one, cosine = 1 − distance²/2.
        votes = count * softmax((1 - np.square(distance) / 2) / SHARPNESS)
        cells = np.arange(len(features))[:, None] * len(self.classes_) + self.labels_[nearest]
        tally = np.bincount(cells.ravel(), weights=votes.ravel(), minlength=len(features) * len(self.classes_))
        return np.asarray(np.log(tally.reshape(len(features), -1) + SMOOTHING))

    def predict_proba(self, z: ArrayLike) -> Doubles:
        """Probabilities of the classes, ``(n, k)``."""
        return softmax(self.decision_function(z) / self.temperature)

    def predict(self, z: ArrayLike) -> NDArray[Any]:
        """The most probable class of every row, ``(n,)``."""
        labels: NDArray[Any] = self.classes_[self.decision_function(z).argmax(axis=1)]
        return labels


def of_length_one(z: Singles) -> Singles:
    """Rows divided by their Euclidean length; rows of zeros stay."""
    rows: Singles = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return rows
