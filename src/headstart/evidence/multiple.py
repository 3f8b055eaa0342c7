"""Several comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values of Holm's step-down procedure: p̃ of the i-th smallest is max over j ≤ i of (m − j + 1) p_j.

    Rejecting where p̃ ≤ α keeps the chance of a single false rejection among m hypotheses at α or below, whatever
    their dependence.

    Source: Holm 1979, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6.

    >>> [round(one, 3) for one in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=float)
    order, m = np.argsort(values, kind="stable"), len(values)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(1, np.maximum.accumulate((m - np.arange(m)) * values[order]))
    found: list[float] = adjusted.tolist()
    return found


def paired_p(differences: Sequence[float]) -> float:
    """Two-sided p-value that the mean of paired differences is 0, by Student's t.

    1 of fewer than two, and of equal ones: on few images equal differences are no sign that all others would be.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or np.ptp(values) < 1e-9:
        return 1.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(2 * stats.t.sf(abs(values.mean()) / error, len(values) - 1))
