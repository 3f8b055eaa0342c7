"""What a score without target labels may look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.evidence.metrics import Classes

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Seen:
    """One model's probabilities: there is no label of the target in it.

    Attributes
    ----------
    target : probabilities of target images, ``(m, k)``.
    source, y : probabilities and classes of source images that nothing was fitted to but a model's temperature, one
        number, ``(n, k)`` and ``(n,)``. Losses on them are a little too low for it, of all models alike.
    weights : how much likelier the target makes each of these, p_t / p_s, ``(n,)``; their expectation is one.
    """

    target: Doubles
    source: Doubles
    y: Classes
    weights: Doubles
