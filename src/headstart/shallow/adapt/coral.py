"""CORAL: the source's features with the target's mean and covariance."""

from __future__ import annotations

import numpy as np

from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles, Singles
from headstart.shallow.threads import one_thread

REGULAR = 1.0
"""λ, in units of a standardised feature's variance."""


def coral(shift: Shift) -> Adapted:
    """The source's head, fitted to source features that are given the target's mean and covariance.

        u ↦ (u − μ_s) A + μ_t,   A = (C_s + λI)^(−1/2) (C_t + λI)^(1/2)

    in the principal directions of both domains; across them nothing moves. The target stays as it is, so what is
    kept is a head and nothing else. Sun, Feng & Saenko, *Return of Frustratingly Easy Domain Adaptation*, AAAI 2016.
    """
    with one_thread():
        matrix = recolouring(shift.u_s, shift.u_t)
    mean_s, mean_t = shift.u_s.mean(axis=0), shift.u_t.mean(axis=0)

    def moved(z: Singles) -> Singles:
        u = shift.coordinates(z)
        return displaced(shift, z, (u - mean_s) @ matrix + mean_t - u)

    return fitted(shift, source=moved, recipe={"regular": REGULAR})


def recolouring(x_s: Doubles, x_t: Doubles, *, regular: float = REGULAR) -> Doubles:
    """A ``(r, r)``: whitens the source's rows ``(n, r)`` and gives them the covariance of the target's ``(m, r)``.

    >>> x = np.array([[-1.0], [1.0]])
    >>> recolouring(x, 3 * x, regular=0.0).round(6).tolist()
    [[3.0]]
    """
    r = x_s.shape[1]
    whiten = _power(np.cov(x_s, rowvar=False).reshape(r, r) + regular * np.eye(r), -0.5)
    found: Doubles = whiten @ _power(np.cov(x_t, rowvar=False).reshape(r, r) + regular * np.eye(r), 0.5)
    return found


def displaced(shift: Shift, z: Singles, by: Doubles) -> Singles:
    """Raw features moved `by` ``(n, r)`` in the basis, in single precision."""
    _, scale = shift.standard
    return (z + (by @ shift.basis.T) * scale).astype(np.float32)


def _power(matrix: Doubles, power: float) -> Doubles:
    values, vectors = np.linalg.eigh(matrix)
    found: Doubles = (vectors * np.maximum(values, 1e-12) ** power) @ vectors.T
    return found
