"""What every score asks of its arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.evidence.metrics import Classes, Floats

Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]


def checked(rows: Floats, y: Classes) -> tuple[Doubles, Indices]:
    """Rows (n, d) in double precision, and the classes that occur, (n,), numbered from 0 without gaps.

    Raises
    ------
    DataError : not one finite row for each label; one class only; a class with a single image.

    Examples
    --------
    >>> checked(np.eye(4, dtype="f4"), np.array([7, 7, 3, 3]))[1].tolist()
    [1, 1, 0, 0]
    """
    if rows.ndim != 2 or len(rows) != len(y) or not rows.size:
        raise DataError(
            f"There are {len(y)} labels for features of shape {rows.shape}.",
            "Give one row of features for each label.",
        )
    if not np.isfinite(rows).all():
        raise DataError("Some features are not finite.", "Leave the images out that give them.")
    names, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError("All images are of one class.", "Add images of a second class.")
    if counts.min() < 2:
        fact = f"Class {names[counts.argmin()]} has a single image."
        raise DataError(fact, "Add images of it, or leave the class out.")
    return np.asarray(rows, dtype=np.float64), index.reshape(-1)


def one_hot(index: Indices) -> Doubles:
    """Classes numbered from 0, (n,) → indicators, (n, k).

    >>> one_hot(np.array([0, 1, 1])).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """
    indicators: Doubles = np.eye(int(index.max()) + 1)[index]
    return indicators
