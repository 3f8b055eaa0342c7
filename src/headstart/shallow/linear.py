"""What all linear heads share: checking, standardising, logits, probabilities."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.errors import DataError
from headstart.evidence.calibration import softmax
from headstart.evidence.metrics import Classes

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]


class LinearHead(ClassifierMixin, BaseEstimator):
    """A head whose logits are z Wᵀ + b; a subclass says how W and b are found.

    Logits are ``(n, k)`` for two classes as well, which is not scikit-learn's habit but spares every
    reader a special case. Probabilities are softmax(logits / temperature).

    Attributes
    ----------
    classes_ : sorted labels, ``(k,)``; column j of all outputs is ``classes_[j]``.
    weight_ : ``(k, d)``, for raw features: the standardisation is folded in.
    bias_ : ``(k,)``.
    """

    classes_: NDArray[Any]
    weight_: Singles
    bias_: Singles
    temperature: float

    def fit(self, z: ArrayLike, y: ArrayLike) -> Self:
        """Fit to features ``(n, d)`` and labels ``(n,)``.

        Raises
        ------
        DataError : all labels are the same.
        ValueError : shapes do not match, or a feature is not finite.
        """
        features, classes, index = self._checked(z, y)
        return self._keep(classes, *self._solve(features, index, len(classes)))

    def _checked(self, z: ArrayLike, y: ArrayLike) -> tuple[Singles, NDArray[Any], Indices]:
        """Features, the sorted classes, and every label's place among them."""
        features, labels = validate_data(self, z, y, dtype=np.float32)
        return features, *two_classes(labels)

    def _keep(self, classes: NDArray[Any], weight: Doubles, bias: Doubles) -> Self:
        self.classes_ = classes
        # In C order, since safetensors writes memory as it lies.
        self.weight_, self.bias_ = weight.astype(np.float32, order="C"), bias.astype(np.float32)
        return self

    def decision_function(self, z: ArrayLike) -> Singles:
        """Logits before the temperature, ``(n, k)``."""
        check_is_fitted(self)
        features: Singles = validate_data(self, z, dtype=np.float32, reset=False)
        logits: Singles = features @ self.weight_.T + self.bias_
        return logits

    def predict_proba(self, z: ArrayLike) -> Doubles:
        """Probabilities of the classes, ``(n, k)``."""
        return softmax(self.decision_function(z) / self.temperature)

    def predict(self, z: ArrayLike) -> NDArray[Any]:
        """The most probable class of every row, ``(n,)``."""
        labels: NDArray[Any] = self.classes_[self.decision_function(z).argmax(axis=1)]
        return labels

    def _solve(self, z: Singles, index: Indices, k: int) -> tuple[Doubles, Doubles]:
        """W ``(k, d)`` and b ``(k,)`` for raw features, from class numbers 0 … k − 1."""
        raise NotImplementedError


def two_classes(labels: NDArray[Any]) -> tuple[NDArray[Any], Indices]:
    """The sorted classes and every label's place among them; at least two are needed."""
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"all {len(labels)} images to fit a head to are of class {classes[0]!r}")
    return classes, index


def row_weights(index: Classes, k: int, class_weight: str | None) -> Doubles:
    """Weights ``(n,)`` of mean one: all 1, or n / (k n_c), under which every class counts the same."""
    if class_weight is None:
        return np.ones(len(index))
    return (len(index) / (k * np.maximum(np.bincount(index, minlength=k), 1)))[index]


def fold_in(weight: Doubles, bias: Doubles, mean: Doubles, scale: Doubles) -> tuple[Doubles, Doubles]:
    """The same map for raw features: W ((z − mean) / scale) + b = W' z + b'."""
    raw = weight / scale
    return raw, bias - raw @ mean
