"""Subspace alignment: the source's principal directions turned into the target's."""

from __future__ import annotations

import numpy as np

from headstart.shallow.adapt.baselines import tuned
from headstart.shallow.adapt.shift import Adapted, Affine, Shift
from headstart.shallow.linear import Doubles, Singles
from headstart.shallow.threads import one_thread

EXPLAINED = 0.9
"""Share of the source's variance that its subspace holds."""
MOST = 80


def subspace_alignment(shift: Shift) -> Adapted:
    """Ridge in the target's principal directions, fitted to the source's coordinates turned into them.

        source: (u − μ_s) P_s P_sᵀ P_t,   target: (u − μ_t) P_t

    P ``(r, m)`` holds the m leading directions of each domain about its own mean. Fernando, Habrard, Sebban &
    Tuytelaars, *Unsupervised Visual Domain Adaptation Using Subspace Alignment*, ICCV 2013.
    """
    with one_thread():
        p_s, p_t = aligned(shift.u_s, shift.u_t, width(shift.u_s))
    mean_s, mean_t = shift.u_s.mean(axis=0), shift.u_t.mean(axis=0)
    turn = p_s @ (p_s.T @ p_t)

    def turned(z: Singles) -> Singles:
        found: Singles = ((shift.coordinates(z) - mean_s) @ turn).astype(np.float32)
        return found

    return tuned(shift, source=turned, target=projection(shift, p_t, mean_t), recipe={"directions": p_t.shape[1]})


def aligned(x_s: Doubles, x_t: Doubles, m: int) -> tuple[Doubles, Doubles]:
    """P_s and P_t, ``(r, m)``: the m leading principal directions of the rows of each.

    >>> x = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 0.1]])
    >>> [abs(p).round(1).tolist() for p in aligned(x, x[:, ::-1], 1)]
    [[[1.0], [0.0]], [[0.0], [1.0]]]
    """
    found = []
    for x in (x_s, x_t):
        _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        found.append(directions[:m].T)
    return found[0], found[1]


def width(x: Doubles) -> int:
    """How many leading directions hold `EXPLAINED` of the variance, at most `MOST`."""
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    return min(MOST, 1 + int(np.searchsorted(np.cumsum(values) / values.sum(), EXPLAINED)))


def projection(shift: Shift, directions: Doubles, centre: Doubles) -> Affine:
    """Raw features → (u − centre) · directions, `directions` ``(r, m)``."""
    mean, scale = shift.standard
    matrix = (shift.basis @ directions) / scale[:, None]
    return Affine(matrix, -(mean @ matrix) - centre @ directions)
