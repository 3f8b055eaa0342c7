"""The main job as a scikit-learn estimator: images as arrays in, a classifier out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart.bundle import Predictor
from headstart.data.splits import FEWEST
from headstart.errors import DataError
from headstart.runs.fit import fit

SPLIT = (0.8, 0.2, 0.0)
"""All images given are for fitting: a scikit-learn user keeps the test part outside."""


class TransferClassifier(ClassifierMixin, BaseEstimator):
    """Freeze or fine-tune a pretrained network, whichever the images themselves speak for.

    Parameters
    ----------
    backbone : name of what to transfer from (`headstart backbones`).
    strategy : ``auto``, ``probe``, ``finetune``, ``every``, or rows of the table of strategies like ``"last_3,all"``.
    budget : time for one `fit`, like ``"2m"``.
    size : side of the squares that images are resized to, in pixels.
    image_shape : (h, w) or (h, w, c) of images that are given as rows (n, h·w·c); a square grey
        image, or a strip one pixel high, where nothing is said.
    metric : ``accuracy``, ``balanced_accuracy`` or ``macro_f1``.
    random_state : of the split and of the training.
    device : ``auto``, ``cpu`` or ``cuda``.

    Attributes
    ----------
    classes_ : labels, sorted.
    verdict_ : freeze or fine-tune, in a sentence.

    Notes
    -----
    Images are uint8 (n, h, w) or (n, h, w, c), or of any other numeric type; the range of values
    seen in fitting is then mapped to 0…255.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> model = TransferClassifier("random/resnet18", strategy="probe", size=32)
    >>> model.fit(digits.images[:60], digits.target[:60]).predict(digits.images[:60]).shape
    (60,)
    """

    def __init__(
        self,
        backbone: str = "packaged/efficientnet_lite0",
        *,
        strategy: str = "auto",
        budget: str | float = "2m",
        size: int = 128,
        image_shape: tuple[int, ...] | None = None,
        metric: str = "accuracy",
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.budget = budget
        self.size = size
        self.image_shape = image_shape
        self.metric = metric
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Run the main job on images `X` and labels `y` (n,).

        Raises
        ------
        ValueError : a class with fewer than three images, one class only, values that are not finite.
        """
        images, y = validate_data(self, X, y, allow_nd=True, dtype="numeric")
        values = np.asarray(images)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"Classifier can't train when only one class is present: {self.classes_[0]}.")
        rare = self.classes_[np.bincount(numbers) < FEWEST]
        if len(rare):
            raise DataError(f"Fewer than {FEWEST} images of class {rare[0]}.", "Give more of them, or leave them out.")
        self.range_ = None if values.dtype == np.uint8 else (float(values.min()), float(values.max()))
        with tempfile.TemporaryDirectory() as folder:
            run = fit(
                (self._images(values), numbers),
                folder,
                backbones=[self.backbone],
                strategy=self.strategy,
                budget=self.budget,
                size=self.size,
                metric=self.metric,
                seed=self.random_state,
                split=SPLIT,
                device=self.device,
            )
            self.verdict_ = run.verdict.sentence
            self.predictor_ = Predictor(Path(folder)).in_memory()
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities (n, k), columns in the order of `classes_`."""
        check_is_fitted(self)
        values = validate_data(self, X, allow_nd=True, dtype="numeric", reset=False)
        return self.predictor_.predict_proba(self._images(np.asarray(values)))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Most probable labels (n,)."""
        check_is_fitted(self)
        chosen: np.ndarray = self.classes_[self.predict_proba(X).argmax(1)]
        return chosen

    def _images(self, X: np.ndarray) -> np.ndarray:
        """uint8 (n, h, w[, c]): rows unfolded, values mapped to 0…255."""
        if X.ndim == 2:
            X = X.reshape(len(X), *self._row_shape(X.shape[1]))
        if self.range_ is None:
            return X
        low, high = self.range_
        scaled = (np.asarray(X, np.float64) - low) * (255 / max(high - low, 1e-12))
        return np.round(scaled.clip(0, 255)).astype(np.uint8)

    def _row_shape(self, d: int) -> tuple[int, ...]:
        if self.image_shape is not None:
            if int(np.prod(self.image_shape)) != d:
                raise DataError(f"Rows of {d} values are not images of the shape {self.image_shape}.")
            return self.image_shape
        side = round(d**0.5)
        return (side, side) if side * side == d else (1, d)

    def __sklearn_tags__(self) -> Any:
        """Images may have more than two dimensions; rows of two dimensions are unfolded."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
