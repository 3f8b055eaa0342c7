"""A labelled source and a target without labels as features, and what every method makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from headstart.evidence.calibration import fit_temperature
from headstart.evidence.ridge import centre_and_scale
from headstart.shallow.linear import Doubles, Indices, Singles
from headstart.shallow.ridge import RidgeHead
from headstart.shallow.threads import one_thread

WIDTH = 256
"""Principal directions of both domains together that densities, subspaces and transports are found in, at most."""

Map = Callable[[Singles], Singles]


@dataclass(frozen=True, eq=False)
class Affine:
    """z ↦ z A + c; A None is the identity.

    Attributes
    ----------
    matrix : A ``(d, m)``, or None.
    offset : c ``(m,)``, or 0.

    Examples
    --------
    >>> Affine(np.array([[2.0]]), np.array([1.0]))(np.array([[3.0]], np.float32)).tolist()
    [[7.0]]
    """

    matrix: Doubles | None = None
    offset: Doubles | float = 0.0

    def __call__(self, z: Singles) -> Singles:
        """Features ``(n, d)`` → ``(n, m)``."""
        if self.matrix is None:
            return z
        moved: Singles = (z @ self.matrix.astype(np.float32) + np.asarray(self.offset, np.float32)).astype(np.float32)
        return moved

    def fold_into(self, weight: Doubles, bias: Doubles) -> tuple[Doubles, Doubles]:
        """W (zA + c) + b as a map of z: W Aᵀ and b + W c."""
        if self.matrix is None:
            return weight, bias
        return weight @ self.matrix.T, bias + weight @ np.broadcast_to(self.offset, self.matrix.shape[1])


@dataclass(frozen=True, eq=False)
class Few:
    """The few labelled target images that may be used: features ``(m, d)`` and classes ``(m,)``."""

    z: Singles
    y: Indices


@dataclass(frozen=True, eq=False)
class Shift:
    """What a method on stored features may see.

    Attributes
    ----------
    z_s, y_s : features ``(n, d)`` and classes ``(n,)`` of the source.
    held : the same of source images that nothing is fitted to but a temperature.
    z_t : features of the target, ``(m, d)``; it has no labels here.
    k : number of classes.
    penalty : of the ridge head that is best on the source, out of fold.
    seed : of whatever is drawn.
    few : target images with labels, or None where there are none.
    """

    z_s: Singles
    y_s: Indices
    held: Few
    z_t: Singles
    k: int
    penalty: float = 1000.0
    seed: int = 0
    few: Few | None = None

    @cached_property
    def standard(self) -> tuple[Doubles, Doubles]:
        """Mean and standard deviation ``(d,)`` of both domains together."""
        return centre_and_scale(np.concatenate([self.z_s, self.z_t]))

    @cached_property
    def basis(self) -> Doubles:
        """Leading principal directions ``(d, r)`` of both domains together, standardised; r is at most `WIDTH`."""
        mean, scale = self.standard
        rows = (np.concatenate([self.z_s, self.z_t]) - mean) / scale
        with one_thread():
            short = rows.shape[0] < rows.shape[1]
            values, vectors = np.linalg.eigh(rows @ rows.T if short else rows.T @ rows)
            kept = np.argsort(-values)[: min(WIDTH, len(values))]
            kept = kept[values[kept] > 1e-9 * values.max()]
            found: Doubles = rows.T @ (vectors[:, kept] / np.sqrt(values[kept])) if short else vectors[:, kept]
        return found

    def coordinates(self, z: Singles) -> Doubles:
        """Standardised features in the basis, ``(n, d)`` → ``(n, r)``."""
        mean, scale = self.standard
        found: Doubles = ((z - mean) / scale) @ self.basis
        return found

    @cached_property
    def u_s(self) -> Doubles:
        """The source's coordinates, ``(n, r)``."""
        return self.coordinates(self.z_s)

    @cached_property
    def u_t(self) -> Doubles:
        """The target's coordinates, ``(m, r)``."""
        return self.coordinates(self.z_t)

    def without(self, rows: Indices) -> Shift:
        """The same without some of the few labelled target images."""
        assert self.few is not None
        kept = np.setdiff1d(np.arange(len(self.few.y)), rows)
        found = replace(self, few=Few(self.few.z[kept], self.few.y[kept]))
        # What the few do not enter is not computed again.
        found.__dict__.update({n: self.__dict__[n] for n in ("standard", "basis", "u_s", "u_t") if n in self.__dict__})
        return found


@dataclass(frozen=True, eq=False)
class Adapted:
    """What a method found: a linear head in an aligned space, and how each domain gets there.

    Attributes
    ----------
    weight, bias : the head in the aligned space, ``(k, m)`` and ``(k,)``.
    source, target : raw features → aligned ones; the target's way is affine, and is what is kept.
    temperature : divides the logits before the softmax.
    recipe : the settings, for records.
    weights : how much each source image counted, ``(n,)``, or None.
    """

    weight: Doubles
    bias: Doubles
    source: Map = Affine()
    target: Affine = Affine()
    temperature: float = 1.0
    recipe: dict[str, Any] = field(default_factory=dict)
    weights: Doubles | None = None

    def logits(self, z: Singles) -> Doubles:
        """Calibrated logits of target images, from their raw features."""
        return self._head(self.target(z))

    def source_logits(self, z: Singles) -> Doubles:
        """The same of source images, by the source's way into the aligned space."""
        return self._head(self.source(z))

    def _head(self, aligned: Singles) -> Doubles:
        found: Doubles = (aligned @ self.weight.T + self.bias) / self.temperature
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """One linear head on raw features, as `headstart.shallow.head_module` takes it."""
        weight, bias = self.target.fold_into(self.weight, self.bias)
        return {
            "weight": weight.astype(np.float32, order="C"),
            "bias": bias.astype(np.float32),
            "temperature": np.array(np.float32(self.temperature)),
        }


def fitted(
    shift: Shift,
    *,
    source: Map | None = None,
    target: Affine | None = None,
    weights: Doubles | None = None,
    more: Few | None = None,
    recipe: dict[str, Any] | None = None,
) -> Adapted:
    """The source's own head, fitted in the aligned space to source images that count by their weights.

    Parameters
    ----------
    source, target : ways into the aligned space; the identity by default.
    weights : of the source images, and then of `more`; mean one; None counts all the same.
    more : further labelled rows, in the raw features of the target.
    """
    source, target = source or Affine(), target or Affine()
    z, y = source(shift.z_s), shift.y_s
    if more is not None:
        z, y = np.concatenate([z, target(more.z)]), np.concatenate([y, more.y])
    with one_thread():
        head = RidgeHead(shift.penalty).fit_weighted(z, y, np.ones(len(y)) if weights is None else weights)
    found = Adapted(head.weight_.astype("f8"), head.bias_.astype("f8"), source, target, weights=weights)
    settings = {"head": "ridge", "penalty": shift.penalty, **(recipe or {})}
    return replace(calibrated(found, shift), recipe=settings)


def calibrated(found: Adapted, shift: Shift) -> Adapted:
    """Its temperature, fitted to source images that the head was not fitted to."""
    logits = replace(found, temperature=1.0).source_logits(shift.held.z)
    return replace(found, temperature=fit_temperature(logits, shift.held.y))
