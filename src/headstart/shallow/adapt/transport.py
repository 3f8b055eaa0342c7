"""Optimal transport: every source image is carried to where the target has images like it."""

from __future__ import annotations

import importlib.util

import numpy as np
from scipy.spatial.distance import cdist

from headstart.errors import MissingExtraError
from headstart.shallow.adapt.coral import displaced
from headstart.shallow.adapt.shift import Adapted, Shift, fitted
from headstart.shallow.linear import Doubles, Indices, Singles
from headstart.shallow.probing import evenly

MOST = 1500
"""Images of each domain that are transported, at most: the plan has a cell for every pair."""
ROUNDS, INNER = 10, 100
"""Rounds of the majorised class regulariser, and Sinkhorn's iterations in each."""
FLOOR = 1e-3
"""Added to what of a class arrives at an image, whose square root has no slope at nought."""
ENTROPY, CLASSES = 0.05, 0.1
"""Weights of the plan's entropy and of its class regulariser, where costs have a median of one."""


def pot_at_hand() -> bool:
    """Whether POT, which solves the transport, is installed."""
    return importlib.util.find_spec("ot") is not None


def no_pot() -> MissingExtraError:
    """What to say where it is not."""
    fact = "Optimal transport needs POT, which is not installed."
    return MissingExtraError(fact, "Run: pip install 'headstart[adapt]'.")


def optimal_transport(shift: Shift) -> Adapted:
    """The source's head, fitted to source images at the place that they are carried to.

    The plan γ ``(n, m)`` minimises ⟨γ, M⟩ + ε Σ γ log γ + η Σ_j Σ_c ‖γ(I_c, j)‖₁^½ for squared distances M in the
    principal directions of both domains: the last term keeps source images of different classes from being carried
    to the same target image. Image i goes to the mean of where it is carried, Σ_j γ_ij u_j / Σ_j γ_ij; one that was
    not in the plan moves as its nearest neighbour does. Courty, Flamary, Tuia & Rakotomamonjy, *Optimal Transport
    for Domain Adaptation*, PAMI 2017. POT solves it.

    Raises
    ------
    MissingExtraError : POT is not installed.
    """
    if not pot_at_hand():
        raise no_pot()
    rows = evenly(np.arange(len(shift.y_s)), shift.y_s, MOST)
    some = np.random.default_rng(shift.seed).permutation(len(shift.u_t))[:MOST]
    start, goal = shift.u_s[rows], shift.u_t[some]
    moves = carried(start, shift.y_s[rows], goal) - start

    def moved(z: Singles) -> Singles:
        nearest = cdist(shift.coordinates(z), start, "sqeuclidean").argmin(axis=1)
        return displaced(shift, z, moves[nearest])

    return fitted(shift, source=moved, recipe={"entropy": ENTROPY, "classes": CLASSES, "images": len(rows)})


def carried(x_s: Doubles, y_s: Indices, x_t: Doubles) -> Doubles:
    """Where the source's rows ``(n, r)`` of classes ``(n,)`` are carried among the target's ``(m, r)``: ``(n, r)``."""
    import ot

    cost = cdist(x_s, x_t, "sqeuclidean")
    n, m = cost.shape
    cost /= np.median(cost)
    member = (y_s == np.unique(y_s)[:, None]).astype(np.float64)
    pull = np.zeros_like(cost)
    for _ in range(ROUNDS):
        # POT's own loop over the same steps holds an array of (n, m, k).
        plan = ot.sinkhorn(
            np.full(n, 1 / n), np.full(m, 1 / m), cost + CLASSES * pull, ENTROPY, numItermax=INNER, warn=False
        )
        pull = member.T @ (0.5 / np.sqrt(member @ plan + FLOOR))
    found: Doubles = plan @ x_t / np.maximum(plan.sum(axis=1, keepdims=True), 1e-300)
    return found
