"""PARC: whether images that the network finds unlike are of different classes."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from headstart.evidence.metrics import Classes, Floats
from headstart.evidence.transferability.checking import checked


def parc(z: Floats, y: Classes) -> float:
    """Pairwise annotation representation comparison, a rank correlation; higher is better.

    Over all pairs i < j of images, Spearman's correlation of

        D_z(i, j) = 1 − corr(zᵢ, zⱼ)   with   D_y(i, j) = 1 − corr(eᵢ, eⱼ),

    where zᵢ is row i of `z`, eᵢ its label's indicators, and corr is Pearson's over their entries. D_y has two
    values, so only whether two labels agree matters. Bolya, Mittapalli & Hoffman, *Scalable Diverse Model
    Selection for Accessible Transfer Learning*, NeurIPS 2021, who give 100 times as much. The score does
    not change when the features of an image are shifted or scaled. Takes time and memory of n².

    Parameters
    ----------
    z : features, ``(n, d)``, d ≥ 2; an image whose features are all equal correlates with none.
    y : classes, ``(n,)``.

    Raises
    ------
    DataError : see `checked`.

    Examples
    --------
    >>> z = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.1], [2.0, 1.0, 0.0], [2.0, 1.1, 0.0]])
    >>> round(parc(z, np.array([0, 0, 1, 1])), 4)
    0.8281
    """
    features, index = checked(z, y)
    rows = features - features.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    first, second = np.triu_indices(len(rows), 1)
    likeness = (rows @ rows.T)[first, second]
    ranks = rankdata(-likeness)
    apart = index[first] != index[second]
    if np.ptp(ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks, apart)[0, 1])
