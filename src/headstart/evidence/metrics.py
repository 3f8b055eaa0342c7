"""How well predictions fit the labels: shares between 0 and 1, and two checks of probabilities.

The three metrics of `METRICS` take weights, one row per bootstrap replicate, and then give one value
per row: a bootstrap of 2,000 replicates is a few matrix products instead of 2,000 calls.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Classes = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


class Metric(Protocol):
    """A row of `METRICS`: labels and predicted classes, both ``(n,)``, to a share between 0 and 1."""

    def __call__(self, y: Classes, predicted: Classes, *, weights: Floats | None = None) -> Floats:
        """The value, one for each row of the weights."""


def accuracy(y: Classes, predicted: Classes, *, weights: Floats | None = None) -> Floats:
    """Share of the images that are predicted right, Σᵢ wᵢ [ŷᵢ = yᵢ] / Σᵢ wᵢ.

    Parameters
    ----------
    y, predicted : classes, ``(n,)``.
    weights : how often each image counts, ``(n,)``, or ``(b, n)`` for b replicates at once.

    Returns
    -------
    A scalar, or ``(b,)``; nan where all weights of a row are zero.

    Examples
    --------
    >>> float(accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])))
    0.75
    """
    correct = (y == predicted).astype(np.float64)
    if weights is None:
        return np.asarray(correct.mean())
    return _share(weights @ correct, weights.sum(axis=-1))


def balanced_accuracy(y: Classes, predicted: Classes, *, weights: Floats | None = None) -> Floats:
    """Recall averaged over classes, (1/|C|) Σ_{c∈C} hits_c / truth_c; arguments as in `accuracy`.

    C holds the classes with at least one image *of non-zero weight*: a rare class that a resample
    happens to miss is left out of that resample's mean instead of counting as zero.

    Examples
    --------
    >>> float(balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])))
    0.5
    """
    truth, _, hits = _tally(y, predicted, weights)
    return _mean_over_present(_share(hits, truth), truth > 0)


def macro_f1(y: Classes, predicted: Classes, *, weights: Floats | None = None) -> Floats:
    """F1 averaged over classes, (1/|C|) Σ_{c∈C} 2 hits_c / (truth_c + predicted_c).

    C holds the classes that occur, with non-zero weight, among the labels or the predictions (as in
    scikit-learn); a class that a resample misses altogether is left out. Arguments as in `accuracy`.

    Examples
    --------
    >>> round(float(macro_f1(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))), 3)
    0.429
    """
    truth, guessed, hits = _tally(y, predicted, weights)
    return _mean_over_present(_share(2 * hits, truth + guessed), truth + guessed > 0)


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
}


def log_loss(y: Classes, probabilities: Floats) -> float:
    """Mean negative log-likelihood, −(1/n) Σᵢ log pᵢ[yᵢ], in nats.

    Parameters
    ----------
    y : classes, ``(n,)``.
    probabilities : ``(n, k)``, rows summing to one; clipped below at 1e-12, so that one certain
        mistake costs 27.6 nats and not infinity.

    Examples
    --------
    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
    0.6931
    """
    return float(losses(y, probabilities).mean())


def losses(y: Classes, probabilities: Floats) -> NDArray[np.float64]:
    """−log pᵢ[yᵢ] of every image, ``(n,)``: the terms of `log_loss`, clipped as there."""
    own = np.asarray(probabilities, dtype=np.float64)[np.arange(len(y)), y]
    negative: NDArray[np.float64] = -np.log(np.clip(own, 1e-12, None))
    return negative


def calibration_error(y: Classes, probabilities: Floats, *, bins: int = 15) -> float:
    """Expected calibration error, Σ_b (n_b / n) |accuracy_b − confidence_b|.

    Images are binned by their confidence maxₖ pₖ into `bins` intervals of equal width, (lower, upper];
    empty bins count nothing. Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017.
    `y` is ``(n,)``, `probabilities` ``(n, k)``.

    Examples
    --------
    >>> round(calibration_error(np.array([0, 1]), np.array([[0.9, 0.1], [0.9, 0.1]])), 3)
    0.4
    """
    confidence = np.asarray(probabilities, dtype=np.float64).max(axis=1)
    correct = (probabilities.argmax(axis=1) == y).astype(np.float64)
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def confusion(y: Classes, predicted: Classes, k: int) -> NDArray[np.int64]:
    """Counts ``(k, k)``: rows are the truth, columns the prediction.

    Examples
    --------
    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    return np.bincount(y * k + predicted, minlength=k * k).reshape(k, k).astype(np.int64)


def _tally(y: Classes, predicted: Classes, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Weights of the truth, the predictions and the hits of every class, each ``(…, k)``."""
    n, k = len(y), int(max(y.max(), predicted.max())) + 1
    images, correct = np.arange(n), y == predicted
    rows = np.ones(n) if weights is None else weights

    def per_class(classes: Classes, at: NDArray[np.integer[Any]]) -> Floats:
        member = sparse.csr_array((np.ones(len(at)), (classes[at], at)), shape=(k, n))
        return np.asarray(member @ rows.T).T

    return per_class(y, images), per_class(predicted, images), per_class(y, images[correct])


def _share(part: Floats, whole: Floats) -> Floats:
    """Part / whole, nan where the whole is zero."""
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return shares


def _mean_over_present(shares: Floats, present: NDArray[np.bool_]) -> Floats:
    return _share(np.where(present, shares, 0.0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))
