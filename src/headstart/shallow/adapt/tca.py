"""Transfer component analysis: directions of variance in which the domains' means agree."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from headstart.shallow.adapt.baselines import tuned
from headstart.shallow.adapt.shift import Adapted, Shift
from headstart.shallow.adapt.subspace import projection
from headstart.shallow.linear import Doubles
from headstart.shallow.threads import one_thread

COMPONENTS = 60
MU = 1.0


def transfer_components(shift: Shift) -> Adapted:
    """Ridge on transfer components with the linear kernel, which are linear in the features.

    Pan, Tsang, Kwok & Yang, *Domain Adaptation via Transfer Component Analysis*, IEEE TNN 2011; see `components`.
    """
    # Kernels of the size of one image's own: mu then means the same at every width.
    size = np.sqrt(float(np.square(np.concatenate([shift.u_s, shift.u_t])).sum(axis=1).mean()))
    with one_thread():
        directions = components(shift.u_s / size, shift.u_t / size, COMPONENTS) / size
    way = projection(shift, directions, np.zeros(len(directions)))
    return tuned(shift, source=way, target=way, recipe={"components": directions.shape[1], "mu": MU})


def components(x_s: Doubles, x_t: Doubles, m: int, *, mu: float = MU) -> Doubles:
    """Directions A ``(r, m)`` such that x ↦ xA are the m leading transfer components of the linear kernel.

    TCA looks for W ``(n, m)`` with the largest tr((WᵀKLKW + μWᵀW)⁻¹ WᵀKHKW), K = XXᵀ over the rows X of both
    domains, L the matrix of the squared distance of means and H that of centring. Only the part of W in the space
    that the rows span counts: with X = U diag(s) Vᵀ and W = UC it becomes

        S²UᵀHU S² c = λ (S²UᵀLU S² + μI) c,   A = Xᵀ U C = V diag(s) C,

    of the size of the features' rank instead of the number of images. The components are scaled such that
    Wᵀ(KLK + μI)W = I.
    """
    x = np.concatenate([x_s, x_t])
    u, s, v = np.linalg.svd(x, full_matrices=False)
    kept = s > 1e-9 * s[0]
    u, s, v = u[:, kept], s[kept], v[kept]
    apart = u[: len(x_s)].mean(axis=0) - u[len(x_s) :].mean(axis=0)
    centred = u - u.mean(axis=0)
    spread = (s**2)[:, None] * (centred.T @ centred) * s**2
    shrunk = np.outer(s**2 * apart, s**2 * apart) + mu * np.eye(len(s))
    m = min(m, len(s))
    _, c = eigh(spread, shrunk, subset_by_index=[len(s) - m, len(s) - 1])
    found: Doubles = (v.T * s) @ c[:, ::-1]
    return found
