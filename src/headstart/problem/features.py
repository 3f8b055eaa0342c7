"""Domains that somebody else has turned into features: rows of numbers instead of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import Domain, Labelled, Task, Unlabelled


def are_features(x: Domain) -> bool:
    """Whether a domain's images are rows of features."""
    return isinstance(x.images, np.ndarray) and x.images.ndim == 2


def feature_arrays(z: np.ndarray, y: Sequence[object] | np.ndarray | None) -> Labelled | Unlabelled:
    """Features from memory, with labels or without.

    Parameters
    ----------
    z : numbers, ``(n, d)``.
    y : n labels, integers or strings; classes are numbered in sorted order. None for none.

    Raises
    ------
    DataError : not numbers, not finite, or labels of another length.

    Examples
    --------
    >>> feature_arrays(np.zeros((3, 2)), ["b", "a", "b"]).task.classes
    ('a', 'b')
    """
    z = np.asarray(z)
    if z.ndim != 2 or z.dtype.kind not in "iuf" or not np.isfinite(z).all():
        raise DataError(f"Features have the type {z.dtype} and the shape {z.shape}.", "Give finite numbers, (n, d).")
    x = Domain("arrays", z)
    if y is None:
        return Unlabelled(x)
    labels = np.asarray(y)
    if labels.shape != (len(z),):
        raise DataError(f"There are {len(z)} rows, and labels of the shape {labels.shape}.", "Give one each.")
    names, numbers = np.unique(labels.astype(str) if labels.dtype.kind == "O" else labels, return_inverse=True)
    return Labelled(x, numbers.astype(np.int64), Task(tuple(str(name) for name in names)))
