"""Importance weights from a classifier that tells the domains apart."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headstart.evidence.metrics import losses
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles
from headstart.shallow.logistic import LogisticHead
from headstart.shallow.threads import one_thread

PENALTIES = (10_000.0, 1_000.0, 100.0, 10.0)
LARGEST = 20.0
"""An image counts for at most so many, lest a handful of them be all that is fitted to."""
FOLDS = 5


def density_ratio(shift: Shift) -> Adapted:
    """The source's head, fitted to source images that count as likely as the target makes them.

        w(z) = p_t(z) / p_s(z) = (n_s / n_t) · P(target | z) / P(source | z)

    by logistic regression between the domains (Bickel, Brückner & Scheffer, *Discriminative Learning for
    Differing Training and Test Distributions*, ICML 2007), so it assumes that P(y | z) is the same in both
    and that the source has images wherever the target has some. w is capped, and has mean one.
    """
    weights, penalty = ratio(shift.u_s, shift.u_t, seed=shift.seed)
    return fitted(shift, weights=weights, recipe={"domains_penalty": penalty, "effective": effective(weights)})


def ratio(
    u_s: Doubles, u_t: Doubles, *, seed: int, at: Doubles | None = None, largest: float = LARGEST
) -> tuple[Doubles, float]:
    """W of the source's rows, with mean one, and the penalty that was chosen out of fold.

    Parameters
    ----------
    u_s, u_t : features of the domains, ``(n, r)`` and ``(m, r)``.
    at : other rows ``(l, r)`` of the source that w is wanted of; their mean is left as it comes out.
    largest : what w is capped at.
    """
    x = np.concatenate([u_s, u_t]).astype(np.float32)
    domain = np.repeat([0, 1], [len(u_s), len(u_t)])
    fold = np.random.default_rng(seed).permutation(len(x)) % FOLDS
    loss = np.zeros(len(PENALTIES))
    with one_thread():
        for number in range(FOLDS):
            fit, held = fold != number, fold == number
            path = LogisticHead().path(x[fit], domain[fit], PENALTIES)
            loss += [losses(domain[held], head.predict_proba(x[held])).sum() for head in path]
        penalty = PENALTIES[int(np.argmin(loss))]
        # Which penalty is best shows in single precision; what an image weighs hangs on the optimum's last digits.
        # A softmax of two classes has two vectors of weights, which share a penalty between them.
        exact = LogisticRegression(C=2 / penalty, solver="newton-cholesky", tol=1e-10)
        head = make_pipeline(StandardScaler(), exact).fit(np.concatenate([u_s, u_t]), domain)
        shares = head.predict_proba(u_s if at is None else at)
    odds = shares[:, 1] / np.maximum(shares[:, 0], 1e-12) * len(u_s) / len(u_t)
    return capped(odds, largest) if at is None else np.minimum(odds, largest), penalty


def capped(weights: Doubles, largest: float = LARGEST) -> Doubles:
    """Weights of mean one, none above `largest`.

    >>> capped(np.array([1.0, 1.0, 98.0]), 2.0).tolist()
    [0.5, 0.5, 2.0]
    >>> capped(np.array([0.0, 0.0, 3.0]), 2.0).tolist()
    [0.5, 0.5, 2.0]
    """
    w = np.maximum(weights, 0.0) / max(float(weights.mean()), 1e-12)
    limit = min(largest, float(len(w)))
    over = np.zeros(len(w), dtype=bool)
    while (w[~over] > limit * (1 + 1e-9)).any():
        over |= w > limit
        rest, left = w[~over].sum(), len(w) - limit * over.sum()
        w[over] = limit
        # What is cut off goes to the others, in proportion, so that the mean stays one; evenly where they have nothing.
        w[~over] = w[~over] * (left / rest) if rest > 0 else left / max(1, np.count_nonzero(~over))
    return w


def effective(weights: Doubles) -> float:
    """Kish's effective number of images, (Σw)² / Σw², rounded."""
    return round(float(weights.sum() ** 2 / np.square(weights).sum()), 1)
