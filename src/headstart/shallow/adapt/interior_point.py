"""Quadratic programmes over a box and a sum, by an interior-point method."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from headstart.shallow.linear import Doubles

STEPS = 100
"""At most; six to sixty were seen to do, on 800 programmes of kernels of all widths."""
INWARDS = 0.995
"""Of the way to the nearest bound."""
DAMPING = 1e-15
"""Beside n times the trace: what rounding may make of an eigenvalue that is nought."""


def least(
    h: Doubles, c: Doubles, *, top: float, total: tuple[float, float], start: float, tolerance: float = 1e-12
) -> tuple[Doubles, float]:
    """Argmin ½ xᵀHx − cᵀx over 0 ≤ x ≤ top with low ≤ Σ x ≤ high, and what its value is above the least at most.

    The sum t is one more unknown: then all bounds are of one kind, and Σ x = t is the only equation. A predictor and
    a corrector a step, which share a factorisation: Mehrotra, *On the implementation of a primal-dual interior point
    method*, SIAM J. Optim. 1992, as in Nocedal & Wright, *Numerical Optimization*, section 16.6. H may be
    singular: the damping is in the steps, not in the test that ends them. What is left at most is how much lower the
    tangent at x gets within the bounds (Frank & Wolfe 1956), whatever ended the steps.

    Parameters
    ----------
    h, c : symmetric, without negative eigenvalues, ``(n, n)``, and ``(n,)``; H x and c of the order of n at most.
    top, total : the largest x, and the bounds (low, high) of its sum.
    start : each x to begin with; 0 < start < top and low < n start < high.
    tolerance : ends when room × pressure, and what is left of any slope, are at most n times this.

    Examples
    --------
    >>> x, gap = least(np.eye(2), np.array([1.0, 3.0]), top=2.0, total=(0.0, 2.5), start=1.0)
    >>> x.round(6).tolist(), gap < 1e-9
    ([0.5, 2.0], True)
    """
    n = len(c)
    c, sums = np.append(c, 0.0), np.append(np.ones(n), -1.0)
    x = np.append(np.full(n, start), n * start)
    low, high = np.append(np.zeros(n), total[0]), np.append(np.full(n, top), total[1])
    # Of the two bounds of each unknown, ``(2, n + 1)``: how far away they are, and how hard they press.
    room = np.stack([x - low, high - x])
    press = max(1.0, float(np.abs(np.append(h @ x[:n], 0.0) - c).max())) / room
    price = 0.0
    for _ in range(STEPS):
        rest = np.append(h @ x[:n], 0.0) - c - price * sums - press[0] + press[1]
        gap = float((room * press).sum())
        if max(gap, float(np.abs(rest).max())) <= tolerance * n:
            break
        newton = _Newton(h, rest, sums @ x, room, press)
        _, _, d_room, d_press = newton.step(0.0)
        ahead = ((room + _reach(room, d_room) * d_room) * (press + _reach(press, d_press) * d_press)).sum()
        centred = (ahead / gap) ** 3 * gap / room.size
        d_x, d_price, d_room, d_press = newton.step(centred - d_room * d_press)
        share = INWARDS * min(_reach(room, d_room), _reach(press, d_press))
        x, price = x + share * d_x, price + share * d_price
        room, press = room + share * d_room, press + share * d_press
    x = np.clip(x[:n], 0.0, top)
    slope = h @ x - c[:n]
    return x, max(0.0, float(slope @ x) - _lowest(slope, top=top, total=total))


def _lowest(slope: Doubles, *, top: float, total: tuple[float, float]) -> float:
    """Min slope · y over 0 ≤ y ≤ top with low ≤ Σ y ≤ high: what slopes down most is filled first."""
    ascending = np.sort(slope)
    wanted = np.clip(top * np.count_nonzero(slope < 0), *total)
    return float(ascending @ np.clip(wanted - top * np.arange(len(slope)), 0.0, top))


class _Newton:
    """The linear equations of one step, factorised once."""

    def __init__(self, h: Doubles, rest: Doubles, apart: float, room: Doubles, press: Doubles) -> None:
        n = len(h)
        self.rest, self.apart, self.room, self.press = rest, apart, room, press
        self.pull = (press / room).sum(axis=0)
        damped = h.copy()
        damped[np.diag_indices(n)] += self.pull[:n] + DAMPING * n * np.trace(h)
        self.factor = cho_factor(damped, overwrite_a=True, check_finite=False)
        self.ones = cho_solve(self.factor, np.ones(n), check_finite=False)

    def step(self, aim: Doubles | float) -> tuple[Doubles, float, Doubles, Doubles]:
        """Of x, of the sum's price, of room and of pressure, towards room × pressure = aim."""
        n = len(self.ones)
        wanted = aim / self.room - self.press
        right = wanted[0] - wanted[1] - self.rest
        plain = cho_solve(self.factor, right[:n], check_finite=False)
        d_price = (right[n] / self.pull[n] - plain.sum() - self.apart) / (self.ones.sum() + 1 / self.pull[n])
        d_x = np.append(plain + d_price * self.ones, (right[n] - d_price) / self.pull[n])
        d_room = np.stack([d_x, -d_x])
        return d_x, float(d_price), d_room, wanted - self.press / self.room * d_room


def _reach(value: Doubles, step: Doubles) -> float:
    """The share of a step, at most all of it, that leaves nothing below nought."""
    falls = step < 0
    return min(1.0, float((-value[falls] / step[falls]).min(initial=np.inf)))
