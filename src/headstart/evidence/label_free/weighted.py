"""Validation on the source, weighted towards the target."""

from __future__ import annotations

import numpy as np

from headstart.evidence.label_free.seen import Seen
from headstart.evidence.metrics import losses


def importance_weighted(seen: Seen) -> float:
    """−(1/n) Σᵢ wᵢ ℓᵢ, ℓᵢ being the log loss of source image i and wᵢ = p_t(zᵢ) / p_s(zᵢ).

    An unbiased guess of the loss on the target where P(y | z) is the same in both and the weights are right.
    Sugiyama, Krauledat & Müller, *Covariate Shift Adaptation by Importance Weighted Cross Validation*, JMLR 2007.

    Examples
    --------
    >>> half = np.full((2, 2), 0.5)
    >>> round(importance_weighted(Seen(half, half, np.array([0, 1]), np.array([1.5, 0.5]))), 3)
    -0.693
    """
    return -float((seen.weights * losses(seen.y, seen.source)).mean())


def deep_embedded(seen: Seen) -> float:
    """−(mean(wℓ) + η mean(w) − η), η = −Cov(wℓ, w) / Var(w).

    The same guess with the weights as control variate: their expectation is known to be one, so what of the guess's
    noise follows them is taken out. You, Wang, Long & Jordan, *Towards Accurate Model Selection in Deep Unsupervised
    Domain Adaptation* (DEV), ICML 2019. Weights of mean exactly one leave nothing to take out: then it equals
    `importance_weighted`.
    """
    weighted = seen.weights * losses(seen.y, seen.source)
    variance = float(seen.weights.var(ddof=1))
    eta = -float(np.cov(weighted, seen.weights)[0, 1]) / variance if variance > 0 else 0.0
    return -(float(weighted.mean()) + eta * float(seen.weights.mean()) - eta)
