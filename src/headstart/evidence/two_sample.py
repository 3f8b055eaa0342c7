"""Do two samples come from one distribution? A classifier tells them apart as well as it can, on unseen images.

Lopez-Paz & Oquab, *Revisiting Classifier Two-Sample Tests*, ICLR 2017. Its accuracy is a size that everybody can
read: the best classifier of two domains, equally many images of each, is right in ½ + ½ TV(P_S, P_T) of all cases,
so what a fitted one reaches above one half is a lower bound of half of their total variation distance.

The classifier is a ridge on the targets −1 (source) and +1 (target). Its out-of-fold predictions are linear in the
targets, hence all permutations of them are predicted at once, and the p-value is that of the fitting itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError
from headstart.evidence import ridge
from headstart.evidence.bootstrap import Interval, interval
from headstart.evidence.choosing import best_of
from headstart.evidence.metrics import Classes, Floats

Doubles = NDArray[np.float64]

PENALTY = 0.1
"""Of the ridge, an image: features are standardised, so directions with a tenth of their variance count half."""

BALANCED = "balanced_accuracy"


@dataclass(frozen=True, eq=False)
class Layout:
    """Two samples, row by row.

    Attributes
    ----------
    domain : 0 source, 1 target, ``(n,)``.
    groups : what must stay on one side of a split, ``(n,)``; a group may hold images of both domains.
    fold : number of each row's fold, ``(n,)``; no group is divided.
    permuted : labels of the domains under the hypothesis that there is only one, ``(p, n)``.
    """

    domain: Classes
    groups: Classes
    fold: Classes
    permuted: NDArray[np.int8]


@dataclass(frozen=True)
class Told:
    """How well the domains are told apart at one cut: accuracy, 0.5 is chance, with its interval, and its p-value."""

    cut: str
    value: float
    low: float | None
    high: float | None
    p: float


@dataclass(frozen=True, eq=False)
class Separation:
    """How well the domains are told apart.

    Attributes
    ----------
    cuts : at each cut.
    clearest : the cut with the highest accuracy.
    value, low, high : its accuracy, corrected for having been chosen, with its interval.
    p : of the highest accuracy, all cuts at once.
    scores : out-of-fold predictions by cut, ``(n,)``; above 0 they say target.
    """

    cuts: tuple[Told, ...]
    clearest: str
    value: float
    low: float | None
    high: float | None
    p: float
    scores: Mapping[str, NDArray[np.float32]]


def permutations(domain: Classes, groups: Classes, fold: Classes, *, count: int, seed: int) -> NDArray[np.int8]:
    """Labels of the domains, permuted by group within each fold, ``(count, n)``.

    A group of one domain gets the label of another such group as a whole; within a group that holds images of
    both, labels are exchanged among its images. If there is but one distribution of groups, each of these is as
    likely as the labels that were observed.

    Examples
    --------
    >>> d, g = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2])
    >>> permutations(d, g, np.zeros(5, dtype=int), count=3, seed=0).tolist()
    [[1, 1, 0, 1, 0], [1, 1, 0, 1, 0], [0, 0, 0, 1, 1]]
    """
    rng = np.random.default_rng(seed)
    found = np.tile(domain.astype(np.int8), (count, 1))
    _, member = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member)
    share = np.bincount(member, weights=domain) / sizes
    for group in np.flatnonzero((share > 0) & (share < 1)):
        rows = np.flatnonzero(member == group)
        found[:, rows] = rng.permuted(found[:, rows], axis=1)
    for number in np.unique(fold):
        rows = np.flatnonzero((fold == number) & np.isin(share[member], (0, 1)))
        pure, at = np.unique(member[rows], return_inverse=True)
        labels = np.tile(share[pure].astype(np.int8), (count, 1))
        found[:, rows] = rng.permuted(labels, axis=1)[:, at]
    return found


def classifier_test(
    z: Mapping[str, Floats],
    layout: Layout,
    *,
    level: float = 0.95,
    penalty: float = PENALTY,
    resamples: int = 2000,
    seed: int = 0,
) -> Separation:
    """Accuracy in telling two domains apart at every cut, out of fold.

    With tᵢ = ±1 and f₋ᵢ the ridge of the folds that do not hold image i,

        a = ½ (share of the source with f₋ᵢ(zᵢ) < 0  +  share of the target with f₋ᵢ(zᵢ) ≥ 0).

    The p-value counts permutations with an accuracy at least as high, (1 + #) / (1 + count), which is exact with the
    folds held fixed; that of all cuts is of the highest accuracy among them. Intervals resample groups, and
    are widened by what the permutations show of the dependence between folds.

    Parameters
    ----------
    z : features by cut, ``(n, d)``; rows of the domains in about equal numbers.
    penalty : of the ridge, times n.
    resamples : of the groups, for the intervals.

    Raises
    ------
    InternalError : rows and labels differ in number.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> d = np.repeat([0, 1], 100)
    >>> g, fold = np.arange(200), np.arange(200) % 5
    >>> layout = Layout(d, g, fold, permutations(d, g, fold, count=99, seed=0))
    >>> found = classifier_test({"top": rng.normal(size=(200, 2)) + 3 * d[:, None]}, layout)
    >>> found.value > 0.9, found.p
    (True, 0.01)
    """
    if any(len(each) != len(layout.domain) for each in z.values()):
        raise InternalError("features and labels of the domains differ in number")
    labels = np.concatenate([layout.domain[None].astype(np.int8), layout.permuted])
    scores, reached = {}, {}
    for cut, features in z.items():
        out = ridge.out_of_fold(features, 2.0 * labels.T - 1, layout.fold, [penalty * len(features)])[0]
        scores[cut], reached[cut] = out[:, 0].copy(), balanced(out.T >= 0, labels == 1)
    predicted = {cut: (each >= 0).astype(np.int64) for cut, each in scores.items()}
    measure = partial(interval, metric=BALANCED, level=level, resamples=resamples, seed=seed)
    choose = partial(best_of, metric=BALANCED, level=level, resamples=resamples, seed=seed)
    alone = {cut: measure(layout.domain, said, layout.groups) for cut, said in predicted.items()}
    told = tuple(
        Told(cut, each.value, *_widened(each, reached[cut]), p_value(reached[cut])) for cut, each in alone.items()
    )
    clearest = max(told, key=lambda one: one.value)
    best = choose(layout.domain, predicted, layout.groups)
    low, high = _widened(best, reached[clearest.cut])
    p = p_value(np.max(list(reached.values()), axis=0))
    return Separation(told, clearest.cut, best.value, low, high, p, scores)


def balanced(said: NDArray[np.bool_], truly: NDArray[np.bool_]) -> Doubles:
    """Mean of the shares told right among both domains, ``(…, n)`` each → ``(…,)``."""
    hits = (said & truly).sum(axis=-1) / np.maximum(truly.sum(axis=-1), 1)
    passed = (~said & ~truly).sum(axis=-1) / np.maximum((~truly).sum(axis=-1), 1)
    found: Doubles = (hits + passed) / 2
    return found


def p_value(values: Doubles) -> float:
    """Share of the values, the first one of which was observed, that are at least as large as it."""
    return float((values >= values[0] - 1e-12).mean())


def _widened(found: Interval, reached: Doubles) -> tuple[float | None, float | None]:
    """The ends of an interval, as much farther out as permutations spread wider than n independent images would.

    What is held out of one fold was fitted to in the others, so out-of-fold accuracies vary more than a resampling
    of images shows: about 1.3 times as much on 400 images at chance.
    """
    if found.low is None or found.high is None or len(reached) < 3:
        return found.low, found.high
    wider = max(1.0, float(reached[1:].std()) * 2 * np.sqrt(found.n))
    low, high = found.value - wider * (found.value - found.low), found.value + wider * (found.high - found.value)
    return float(max(0.0, low)), float(min(1.0, high))
