"""The table of heads, and the named arrays that a fitted head is on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError
from headstart.shallow.centroid import CentroidHead
from headstart.shallow.discriminant import LDAHead
from headstart.shallow.linear import LinearHead
from headstart.shallow.logistic import LogisticHead
from headstart.shallow.neighbours import SMOOTHING, NeighboursHead
from headstart.shallow.ridge import RidgeHead

Head = LinearHead | NeighboursHead
Penalty = float | int | None
Arrays = dict[str, NDArray[Any]]

FIT_ROWS, KEPT_ROWS = 10_000, 5_000
"""Rows that logistic regression and discriminant analysis see, and that a vote of neighbours keeps, at most."""


@dataclass(frozen=True)
class HeadRow:
    """One row of `HEADS`.

    Attributes
    ----------
    name : its key.
    summary : what it is, in one sentence.
    estimator : the class.
    knob : the parameter that penalties are values of; "" where there is none.
    penalties : what is tried, the most cautious first, so that ties go to caution.
    rows : how many rows it is fitted to at most (None: all), drawn evenly over the classes. Past them its
        time, or what it keeps, grows, and its accuracy hardly does.
    kind : which arrays it is on disk.
    dear : fitted step by step, not in closed form: it competes only where a cheap one makes it worth while.
    """

    name: str
    summary: str
    estimator: Callable[..., Head]
    knob: str
    penalties: tuple[Penalty, ...]
    rows: int | None
    kind: Literal["linear", "neighbours"]
    dear: bool = False

    def make(self, penalty: Penalty = None) -> Head:
        """The estimator, not yet fitted; None leaves the class's own default."""
        return self.estimator() if penalty is None else self.estimator(**{self.knob: penalty})


HEADS: dict[str, HeadRow] = {
    row.name: row
    for row in (
        HeadRow(
            name="ridge",
            summary="Ridge regression on one-hot labels, in closed form.",
            estimator=RidgeHead,
            knob="penalty",
            penalties=tuple(float(penalty) for penalty in np.logspace(6, 0, 13)),
            rows=None,
            kind="linear",
        ),
        HeadRow(
            name="logistic",
            summary="Multinomial logistic regression with an L2 penalty.",
            estimator=LogisticHead,
            knob="penalty",
            penalties=(10_000.0, 1_000.0, 100.0, 10.0, 1.0),
            rows=FIT_ROWS,
            kind="linear",
            dear=True,
        ),
        HeadRow(
            name="discriminant",
            summary="Linear discriminant analysis with Ledoit and Wolf's covariance.",
            estimator=LDAHead,
            knob="shrinkage",
            penalties=(None,),
            rows=FIT_ROWS,
            kind="linear",
        ),
        HeadRow(
            name="centroid",
            summary="The nearest class mean of standardised features.",
            estimator=CentroidHead,
            knob="",
            penalties=(None,),
            rows=None,
            kind="linear",
        ),
        HeadRow(
            name="neighbours",
            summary="A vote among the most similar training images.",
            estimator=NeighboursHead,
            knob="n_neighbours",
            penalties=(20, 5),
            rows=KEPT_ROWS,
            kind="neighbours",
        ),
    )
}


def arrays(estimator: Head) -> Arrays:
    """A fitted head as named arrays, of one of two kinds; the labels must be 0 … k − 1.

    Returns
    -------
    ``weight`` (k, d), ``bias`` (k,), ``temperature`` () of a linear head, for raw features; or ``features``
    (n, d) of length one, ``labels`` (n,), ``n_neighbours`` (), ``smoothing`` (), ``temperature`` ().

    Raises
    ------
    InternalError : a class has no image, so that rows of the arrays are not numbers of classes.

    Examples
    --------
    >>> sorted(arrays(CentroidHead().fit([[0.0], [1.0]], [0, 1])))
    ['bias', 'temperature', 'weight']
    """
    if not np.array_equal(estimator.classes_, np.arange(len(estimator.classes_))):
        raise InternalError(f"a head for the classes {estimator.classes_.tolist()} cannot be kept: 0 … k − 1 expected")
    temperature = np.float32(estimator.temperature)
    if isinstance(estimator, LinearHead):
        return {"weight": estimator.weight_, "bias": estimator.bias_, "temperature": np.array(temperature)}
    return {
        "features": estimator.features_,
        "labels": estimator.labels_.astype(np.int64),
        "n_neighbours": np.array(min(int(estimator.n_neighbours), len(estimator.labels_)), dtype=np.int64),
        "smoothing": np.array(SMOOTHING, dtype=np.float32),
        "temperature": np.array(temperature),
    }
