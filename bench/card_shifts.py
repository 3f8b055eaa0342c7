"""Shifts that are built on purpose, so that the right answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

Domain = Any
"""What `headstart.compare` takes: images, alone or with their labels."""


def half_of(groups: np.ndarray, seed: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two halves of at most so many images each, groups whole, and which half each is in."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.unique(groups))
    domain = np.isin(groups, names[: len(names) // 2]).astype(np.int64)
    rows = [rng.permutation(np.flatnonzero(domain == side))[:images] for side in (0, 1)]
    rows = np.sort(np.concatenate(rows))
    return rows, domain[rows]


def darker(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Pixels times 1 − s."""
    return (pixels * (1 - strength)).round().astype(np.uint8)


def noisy(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Gaussian noise of s grey levels."""
    noise = np.random.default_rng(0).normal(0, strength, pixels.shape)
    return np.clip(pixels + noise, 0, 255).round().astype(np.uint8)


def blurred(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Gaussian blur of radius s."""
    soften = ImageFilter.GaussianBlur(strength)
    return np.stack([np.asarray(Image.fromarray(image).filter(soften)) for image in pixels])


CORRUPTIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "brightness": darker,
    "noise": noisy,
    "blur": blurred,
}


@dataclass(frozen=True)
class Built:
    """A shift: what it is made by, from images, classes, halves and a generator, and what the card must name."""

    name: str
    shifts: tuple[str, ...]
    make: Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], tuple[Domain, Domain]]
    relations: tuple[str, ...] = ("same", "unknown")


def _sides(x: np.ndarray, names: np.ndarray, domain: np.ndarray) -> tuple[Domain, Domain]:
    """Both halves with their labels, on the classes that both hold."""
    both = np.isin(names, np.intersect1d(names[domain == 0], names[domain == 1]))
    one, other = (both & (domain == side) for side in (0, 1))
    return (x[one], names[one]), (x[other], names[other])


def _nothing(x: np.ndarray, names: np.ndarray, domain: np.ndarray, _: np.random.Generator) -> tuple[Domain, Domain]:
    return _sides(x, names, domain)


def _blur(x: np.ndarray, names: np.ndarray, domain: np.ndarray, _: np.random.Generator) -> tuple[Domain, Domain]:
    source, (z, y) = _sides(x, names, domain)
    return source, (blurred(z, 1.5), y)


def _dark(x: np.ndarray, names: np.ndarray, domain: np.ndarray, _: np.random.Generator) -> tuple[Domain, Domain]:
    source, (z, y) = _sides(x, names, domain)
    return source, (darker(z, 0.15), y)


def _prior(x: np.ndarray, names: np.ndarray, domain: np.ndarray, rng: np.random.Generator) -> tuple[Domain, Domain]:
    """Every other class is four times as frequent on one side as on the other."""
    (z_s, y_s), (z_t, y_t) = _sides(x, names, domain)
    even = np.unique(np.concatenate([y_s, y_t]))[::2]
    one = rng.random(len(y_s)) < np.where(np.isin(y_s, even), 1.0, 1 / 4)
    other = rng.random(len(y_t)) < np.where(np.isin(y_t, even), 1 / 4, 1.0)
    kept = np.intersect1d(y_s[one], y_t[other])
    one, other = one & np.isin(y_s, kept), other & np.isin(y_t, kept)
    return (z_s[one], y_s[one]), (z_t[other], y_t[other])


def _rolled(x: np.ndarray, names: np.ndarray, domain: np.ndarray, _: np.random.Generator) -> tuple[Domain, Domain]:
    """Classes of about the same frequency exchange their names in the target: P(Y) stays, P(Y|X) does not."""
    source, (z, y) = _sides(x, names, domain)
    order, counts = np.unique(y, return_counts=True)
    order = order[np.argsort(-counts, kind="stable")]
    paired = order[: len(order) // 2 * 2].reshape(-1, 2)
    swapped = {name: name for name in order} | dict(paired) | {b: a for a, b in paired}
    return source, (z, np.array([swapped[name] for name in y]))


def _without(source_lacks: slice | None, target_lacks: slice | None) -> Callable[..., tuple[Domain, Domain]]:
    """Classes that one side lacks."""

    def make(x: np.ndarray, names: np.ndarray, domain: np.ndarray, _: np.random.Generator) -> tuple[Domain, Domain]:
        sides, order = _sides(x, names, domain), np.unique(names)
        kept = []
        for (z, y), lacks in zip(sides, (source_lacks, target_lacks), strict=True):
            here = ~np.isin(y, order[lacks]) if lacks is not None else np.ones(len(y), dtype=bool)
            kept.append((z[here], y[here]))
        return kept[0], kept[1]

    return make


def _features(x: np.ndarray, names: np.ndarray, domain: np.ndarray, rng: np.random.Generator) -> tuple[Domain, Domain]:
    """Arrays of different widths, made of the pixels."""
    (z_s, y_s), (z_t, y_t) = _sides(x, names, domain)
    flat = [z.reshape(len(z), -1).astype(np.float32) for z in (z_s, z_t)]
    one, other = (each @ rng.normal(size=(each.shape[1], d)) for each, d in zip(flat, (32, 48), strict=True))
    return (one, y_s), (other, y_t)


def _unlabelled(make: Callable[..., tuple[Domain, Domain]]) -> Callable[..., tuple[Domain, Domain]]:
    def without(*given: Any) -> tuple[Domain, Domain]:
        source, (z, _) = make(*given)
        return source, z

    return without


BUILT = (
    Built("nothing", (), _nothing),
    Built("blur", ("covariate shift",), _blur),
    Built("darker", ("covariate shift",), _dark),
    Built("class prior", ("prior shift",), _prior),
    Built("classes exchanged", ("concept shift",), _rolled),
    Built("source has more classes", ("label-space shift",), _without(None, slice(0, None, 3)), ("partial",)),
    Built("target has more classes", ("label-space shift",), _without(slice(0, None, 3), None), ("open",)),
    Built("own classes on both sides", ("label-space shift",), _without(slice(0, None, 3), slice(1, None, 3)),
          ("open partial",)),
    Built("no class in common", ("label-space shift",), _without(slice(0, None, 2), slice(1, None, 2)), ("disjoint",)),
    Built("other features", ("feature-space shift",), _features),
    Built("nothing, unlabelled", (), _unlabelled(_nothing)),
    Built("blur, unlabelled", ("covariate shift",), _unlabelled(_blur)),
    Built("class prior, unlabelled", ("prior shift",), _unlabelled(_prior)),
)  # fmt: skip
