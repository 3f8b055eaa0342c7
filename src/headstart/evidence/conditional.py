"""Does P(Y|X) differ between two domains? One classifier for both, against one that may differ between them.

Two multinomial logistic regressions on the images of both domains, as a linear head on these features sees them:

    one     logits = W z + b + d c            (what the label depends on is the same; the prior may differ)
    two     logits = W z + b + d (c + V z)    (what it depends on may differ)

with d = −½ in the source and +½ in the target. The offset d c belongs to both, so that another class prior or a
mere translation of the features is no difference. Both are judged on folds that they have not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from headstart.evidence.bootstrap import Difference, paired
from headstart.evidence.metrics import Classes, Floats, losses

Doubles = NDArray[np.float64]

WIDTH = 64
"""Principal components of the features that the classifiers see: few enough for a few hundred images."""

STRENGTHS = (0.003, 0.03, 0.3)
"""scikit-learn's C; the one that serves a single classifier best is taken for both."""


@dataclass(frozen=True)
class Conditional:
    """What it brings that the classifier may differ between the domains, out of fold.

    Attributes
    ----------
    gain : log loss of one minus log loss of two, nats an image; above 0 where a difference is seen.
    accuracy : accuracy of two minus that of one.
    one, two : their accuracies.
    n : images.
    """

    gain: Difference
    accuracy: Difference
    one: float
    two: float
    n: int


def conditional_test(
    z: Floats,
    y: Classes,
    domain: Classes,
    *,
    groups: Classes,
    fold: Classes,
    level: float = 0.95,
    seed: int = 0,
) -> Conditional:
    """Whether the label depends on the features in another way in the target; parameters by row, ``(n, …)``.

    Parameters
    ----------
    z : features, ``(n, d)``.
    y : classes that both domains have.
    domain : 0 source, 1 target; in about equal numbers.
    groups, fold : as in `headstart.evidence.two_sample.Layout`.
    """
    width = min(WIDTH, z.shape[1], max(2, len(z) // 4))
    d = domain[:, None] - 0.5
    reduced = PCA(width, whiten=True, random_state=seed).fit_transform(z)
    single, double = np.hstack([reduced, d]), np.hstack([reduced, d, d * reduced])
    tried = {c: _out_of_fold(single, y, fold, strength=c) for c in STRENGTHS}
    strength = min(STRENGTHS, key=lambda c: float(losses(y, tried[c]).mean()))
    one, two = tried[strength], _out_of_fold(double, y, fold, strength=strength)
    answers = one.argmax(axis=1), two.argmax(axis=1)
    return Conditional(
        clustered_mean(losses(y, one) - losses(y, two), groups, level=level),
        paired(y, answers[1], answers[0], groups, level=level, seed=seed),
        float((answers[0] == y).mean()),
        float((answers[1] == y).mean()),
        len(y),
    )


def clustered_mean(values: Doubles, groups: Classes, *, level: float) -> Difference:
    """The mean over images with an interval over groups: m ± t √(G/(G − 1) Σ_g (Σ_{i∈g} (vᵢ − m))²) / n.

    >>> clustered_mean(np.array([1.0, 1.0, 3.0, 3.0]), np.array([0, 0, 1, 1]), level=0.5).high
    3.0
    """
    mean = float(values.mean())
    _, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member, weights=values - mean)
    count = len(sums)
    if count < 2:
        return Difference(mean, None, None)
    error = float(np.sqrt(count / (count - 1) * np.square(sums).sum())) / len(values)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return Difference(mean, mean - half, mean + half)


def _out_of_fold(x: Doubles, y: Classes, fold: Classes, *, strength: float) -> Doubles:
    found = np.zeros((len(y), int(y.max()) + 1))
    for number in np.unique(fold):
        held = fold == number
        head = LogisticRegression(C=strength, max_iter=500).fit(x[~held], y[~held])
        found[np.ix_(held, head.classes_)] = head.predict_proba(x[held])
    return found
