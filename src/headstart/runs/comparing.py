"""The measurements of a problem card, one function a question, on rows of both domains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.evidence import conditional as heads
from headstart.evidence.bias_corrected import bias_corrected
from headstart.evidence.bootstrap import Difference, interval, paired
from headstart.evidence.class_means import mutual_nearest
from headstart.evidence.crossing_heads import best_penalty, cross_fitted
from headstart.evidence.mmd import mmd_test
from headstart.evidence.priors import class_shares, estimated_priors, told_by_class
from headstart.evidence.two_sample import BALANCED, Layout, Separation, classifier_test
from headstart.problem import LabelSpaces
from headstart.runs.compared import LEVEL, GivenClass, Heads, Labels, Marginal, Prior
from headstart.runs.sides import Sides, equal_rows, matched_rows, reweighted_rows

PERMUTATIONS = 499
FEWER = 99
"""Permutations where the p-value is beside the point, and only their spread is wanted."""

FEWEST_SHARED = 40
"""Rows of shared classes, both domains together, below which nothing is said of P(X|Y) and P(Y|X)."""


def marginal(sides: Sides, *, seed: int) -> tuple[Marginal, np.ndarray, Separation]:
    """P(X) at every cut; with it the rows that were read, and their out-of-fold scores."""
    rows = equal_rows(sides, seed=seed)
    layout = sides.layout(rows, count=PERMUTATIONS, seed=seed)
    z = sides.at(rows)
    found = classifier_test(z, layout, level=LEVEL, seed=seed)
    discrepancies, mmd_p = mmd_test(z, layout, level=LEVEL)
    told = Marginal(
        found.cuts,
        discrepancies,
        found.clearest,
        found.value,
        found.low,
        found.high,
        found.p,
        mmd_p,
        _lower(found, layout, seed=seed),
        len(rows),
    )
    return told, rows, found


def _lower(found: Separation, layout: Layout, *, seed: int) -> Difference | None:
    """The clearest cut of the lower half against the last cut, paired."""
    if len(found.cuts) < 2:
        return None
    lower = max(found.cuts[: len(found.cuts) // 2], key=lambda one: one.value).cut
    one, other = ((found.scores[cut] >= 0).astype(np.int64) for cut in (lower, found.cuts[-1].cut))
    return paired(layout.domain, one, other, layout.groups, metric=BALANCED, level=LEVEL, seed=seed)


def labels(sides: Sides, spaces: LabelSpaces) -> Labels:
    """The label spaces by name, and the private classes whose images look alike."""
    private = [k for k, name in enumerate(sides.classes) if name not in spaces.shared]
    alike = [
        (sides.classes[a], sides.classes[b], ratio)
        for a, b, ratio in _alike(sides)
        if a in private and b in private and a != b
    ]
    return Labels(spaces.relation, spaces.shared, spaces.near, tuple(alike), spaces.source_only, spaces.target_only)


def _alike(sides: Sides) -> list[tuple[int, int, float]]:
    if not sides.z:
        return []
    rows = sides.y >= 0
    return mutual_nearest(sides.top[rows], sides.y[rows], sides.domain[rows])


def known_prior(sides: Sides, spaces: LabelSpaces, *, seed: int) -> Prior | None:
    """P(Y) among the shared classes, with labels on both sides; None with fewer than two of them."""
    shared = [sides.classes.index(name) for name in spaces.shared]
    here = sides.subset(np.flatnonzero(np.isin(sides.y, shared)))
    if len(shared) < 2 or min((here.domain == side).sum() for side in (0, 1)) < 2:
        return None
    y, k = np.searchsorted(sorted(shared), here.y), len(shared)
    permuted = here.layout(np.arange(len(y)), count=PERMUTATIONS, seed=seed).permuted
    told = told_by_class(y, here.domain, k, groups=here.groups, permuted=permuted, level=LEVEL, seed=seed)
    shares, low, high = class_shares(y, here.domain, k, groups=here.groups, level=LEVEL, seed=seed)
    each = [tuple(part.tolist()) for part in (shares[0], shares[1], low, high)]
    names = tuple(sides.classes[number] for number in sorted(shared))
    return Prior(names, each[0], each[1], each[2], each[3], told, ())


def estimated_prior(sides: Sides, *, seed: int) -> Prior:
    """P(Y) of an unlabelled target, from a ridge on the source's labels at the last cut, calibrated by class."""
    rows, k = np.arange(len(sides.domain)), len(sides.classes)
    fold = sides.layout(rows, count=0, seed=seed).fold
    source = sides.domain == 0
    logits = cross_fitted(sides.top, sides.y, source, fold, k)
    best, y = logits[best_penalty(logits, sides.y, source)], sides.y[source]
    ours, theirs = bias_corrected(best[source], y, best[~source])
    order = np.concatenate([sides.groups[source], sides.groups[~source]])
    found = estimated_priors(y, ours, theirs, groups=order, level=LEVEL, seed=seed)
    own = np.bincount(y, minlength=k) / len(y)
    return Prior(sides.classes, tuple(own.tolist()), (), (), (), None, found)


def given_class(sides: Sides, spaces: LabelSpaces | None, prior: Prior | None, *, seed: int) -> GivenClass | None:
    """P(X|Y): the domains told apart once the classes are as frequent, by labels or by the estimated prior."""
    if spaces is None:
        assert prior is not None
        rows = reweighted_rows(sides, prior.estimates[0].prior, seed=seed)
    else:
        rows = matched_rows(sides, [sides.classes.index(name) for name in spaces.shared], seed=seed)
    if len(rows) < FEWEST_SHARED:
        return None
    found = classifier_test(sides.at(rows), sides.layout(rows, count=FEWER, seed=seed), level=LEVEL, seed=seed)
    return GivenClass(found.clearest, found.value, found.low, found.high, found.p, spaces is None, len(rows))


def conditional(sides: Sides, spaces: LabelSpaces, *, seed: int) -> Heads | None:
    """P(Y|X) on the shared classes; None with fewer than two of them or too few images."""
    shared = [sides.classes.index(name) for name in spaces.shared]
    counts = np.minimum(sides.counts(0), sides.counts(1))
    enough = [k for k in shared if counts[k] >= 2]
    rows = matched_rows(sides, enough, seed=seed)
    if len(enough) < 2 or len(rows) < FEWEST_SHARED:
        return None
    layout = sides.layout(rows, count=0, seed=seed)
    z, y = sides.top[rows], np.searchsorted(enough, sides.y[rows])
    found = heads.conditional_test(z, y, layout.domain, groups=layout.groups, fold=layout.fold, level=LEVEL, seed=seed)
    told = Heads(found.gain, found.accuracy, 0.0, 0.0, found.accuracy, found.n)
    return _with_heads(told, z, y, layout, seed=seed)


def _with_heads(told: Heads, z: np.ndarray, y: np.ndarray, layout: Layout, *, seed: int) -> Heads:
    """Accuracies on the target of the source's head and of its own, both from the same number of labels."""
    k, target = int(y.max()) + 1, layout.domain == 1
    both = [cross_fitted(z, y, fitted, layout.fold, k) for fitted in (~target, target)]
    # The penalty is the source's: chosen on the target, it would flatter the target's own head.
    best = best_penalty(both[0], y, ~target)
    answers = [logits[best][target].argmax(axis=1) for logits in both]
    truth, groups = y[target], layout.groups[target]
    own, other = (interval(truth, each, groups, level=LEVEL, seed=seed).value for each in answers)
    cost = paired(truth, answers[0], answers[1], groups, level=LEVEL, seed=seed)
    return replace(told, source=own, target=other, cost=cost)
