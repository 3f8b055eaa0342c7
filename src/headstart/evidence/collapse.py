"""Have features collapsed? How many directions they use, and how far images are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 1e-3
LEAST_RANK = 1.5


@dataclass(frozen=True)
class Spread:
    """How features are spread.

    Attributes
    ----------
    rank : exp of the entropy of the shares σᵢ/Σσ of the centred features' singular values: 1 where all lie on a line.
    spread : root mean square distance from the mean, over that from zero: 0 where all images look alike.
    """

    rank: float
    spread: float

    @property
    def collapsed(self) -> bool:
        """To a point, or to a line."""
        return self.spread < LEAST_SPREAD or self.rank < LEAST_RANK


def spread_of(z: NDArray[np.floating]) -> Spread:
    """Effective rank and relative spread of features (n, d).

    Source: Roy & Vetterli 2007, *The effective rank*, EUSIPCO.

    >>> spread_of(np.eye(4)).rank.__round__(3), spread_of(np.ones((4, 3))).collapsed
    (3.0, True)
    """
    z = np.asarray(z, dtype=np.float64)
    centred = z - z.mean(axis=0)
    size = float(np.sqrt(np.square(z).sum(axis=1).mean()))
    apart = float(np.sqrt(np.square(centred).sum(axis=1).mean()))
    values = np.linalg.svd(centred, compute_uv=False)
    shares = values / values.sum() if values.sum() > 0 else np.zeros(0)
    shares = shares[shares > 0]
    rank = float(np.exp(-(shares * np.log(shares)).sum())) if shares.size else 1.0
    return Spread(rank, apart / size if size > 0 else 0.0)
