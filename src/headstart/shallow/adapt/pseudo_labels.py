"""Self-training: the head's own surest predictions on the target as labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.evidence.calibration import softmax
from headstart.shallow.adapt.shift import Adapted, Few, Shift, fitted
from headstart.shallow.linear import Doubles, Indices

SHARES = (0.1, 0.2, 0.3, 0.4)
"""Of the target images of every predicted class, how many are believed, round by round: the surest first."""
SURE = 0.5
"""A prediction that is less probable than this is never believed."""


def pseudo_labels(shift: Shift) -> Adapted:
    """The source's head, fitted anew to the source and to target images under the classes it gives them.

    In round r the surest share of each predicted class is believed, so that a class on which the head is less sure
    is not crowded out, and none that is less probable than `SURE`; every round starts anew. Lee, *Pseudo-Label*,
    ICML workshop 2013, with the class-wise confidence rule of Zou et al., *Class-Balanced Self-Training*, ECCV 2018.
    """
    found = fitted(shift)
    believed = np.arange(0)
    for share in SHARES:
        shares = softmax(found.logits(shift.z_t))
        believed = surest(shares, share)
        believed = believed[shares[believed].max(axis=1) >= SURE]
        more = Few(shift.z_t[believed], shares[believed].argmax(axis=1))
        found = fitted(shift, more=more)
    return replace(found, recipe={**found.recipe, "believed": len(believed)})


def surest(shares: Doubles, share: float) -> Indices:
    """Rows of probabilities ``(m, k)`` that are among the surest `share` of those with the same prediction, ascending.

    >>> surest(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), 0.5).tolist()
    [0, 2]
    """
    predicted, sure = shares.argmax(axis=1), shares.max(axis=1)
    kept = [
        rows[np.argsort(-sure[rows], kind="stable")[: max(1, round(share * len(rows)))]]
        for c in np.unique(predicted)
        for rows in [np.flatnonzero(predicted == c)]
    ]
    return np.sort(np.concatenate(kept))
