"""Both domains of a comparison, read together: one pass over all images, one network, one engine for both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import load
from headstart.data import Survey, find_duplicates, merge_groups, survey
from headstart.errors import DataError
from headstart.features.extract import extract
from headstart.problem import Domain, Labelled, LabelSpaces, Unlabelled, label_spaces, renamed, together
from headstart.runs.compared import Side, Spaces
from headstart.runs.options import Reading
from headstart.runs.seen import seen_notes
from headstart.runs.sides import Sides

Progress = Callable[[str, int, int], None]
Given = Labelled | Unlabelled

FEWEST = 20
"""Usable images of each domain: four a fold."""

EXTRACTED = 2000
"""Images of each domain that go through the network."""

SIDES = ("source", "target")

COLOURLESS = 2
"""Grey levels that the channels of an image's thumbnail may differ by where it has no colour."""


@dataclass(frozen=True, eq=False)
class Known:
    """Labels of both domains under common numbers.

    Attributes
    ----------
    y : class numbers of all images, source first, −1 without a label, ``(n,)``.
    classes : of the source, under the names that the user maps them to, then those of the target alone.
    spaces : how the label spaces relate; None without labels on both sides.
    """

    y: np.ndarray
    classes: tuple[str, ...]
    spaces: LabelSpaces | None

    @classmethod
    def of(cls, source: Given, target: Given, mapping: Mapping[str, str]) -> Known:
        """Put the classes of both under common numbers.

        Raises
        ------
        OptionError : the mapping names a class that is not there.
        """
        ours, theirs = ((one.task.classes if isinstance(one, Labelled) else ()) for one in (source, target))
        named = renamed(ours, mapping, theirs)
        classes = tuple(dict.fromkeys(named + theirs))
        number = {name: k for k, name in enumerate(classes)}
        parts = []
        for one, names in ((source, named), (target, theirs)):
            own = np.array([number[name] for name in names], dtype=np.int64)
            parts.append(own[one.y] if isinstance(one, Labelled) else np.full(len(one), -1, dtype=np.int64))
        both = isinstance(source, Labelled) and isinstance(target, Labelled)
        return cls(np.concatenate(parts), classes, label_spaces(named, theirs) if both else None)


@dataclass(frozen=True, eq=False)
class Surveyed:
    """All images of both domains, read once.

    Attributes
    ----------
    joined : the images of the source, then those of the target.
    domain, groups : of each image, ``(n,)``.
    duplicates : the set of duplicates that each is in, ``(n,)``: groups without what the user put together.
    usable : which of them can be read, ascending.
    """

    source: Given
    target: Given
    joined: Domain
    survey: Survey
    domain: np.ndarray
    groups: np.ndarray
    duplicates: np.ndarray
    usable: np.ndarray

    def label_of(self, i: int) -> str:
        """What a page calls an image: its path within its own domain."""
        n = len(self.source)
        return self.source.x.label_of(i) if i < n else self.target.x.label_of(i - n)


@dataclass(frozen=True, eq=False)
class Gathered:
    """Both domains as rows of features.

    Attributes
    ----------
    fingerprint : hash of both with their labels, 32 hex digits.
    read : the images that the features are of; None where features were given.
    """

    sides: Sides
    spaces: Spaces
    known: Known
    fingerprint: str
    read: Surveyed | None = None


def gather_images(
    source: Given,
    target: Given,
    known: Known,
    asked: Reading,
    *,
    pairs: str,
    cache: Path,
    device: torch.device,
    progress: Progress,
    backbone: str = "",
    most: int = EXTRACTED,
) -> Gathered:
    """Features and facts of two domains of images.

    Parameters
    ----------
    backbone : whose features; the first one asked for by default.
    most : images of each domain that go through it.

    Raises
    ------
    DataError : fewer than `FEWEST` usable images in one of them.
    """
    read = read_both(
        source, target, pairs=pairs, size=asked.size, max_pixels=asked.max_pixels, cache=cache, progress=progress
    )
    notes = tuple(note for one in (source, target) if isinstance(one, Labelled) for note in one.notes)
    chosen = _few_enough(read, asked.seed, most)
    name = backbone or asked.backbones[0]
    compared = {f"images of the {word}": chosen[read.domain[chosen] == side] for side, word in enumerate(SIDES)}
    notes += tuple(seen_notes([name], read.survey.ids, read.duplicates, compared, so="they may differ for that alone"))
    rows = sides_of(read, known, chosen, backbone=name, cache=cache, device=device, progress=progress)
    return Gathered(rows, spaces_of(read, known, notes), known, read.survey.fingerprint(known.y), read)


def read_both(
    source: Given, target: Given, *, pairs: str, size: int, max_pixels: int, cache: Path, progress: Progress
) -> Surveyed:
    """Read every image of both domains once, and find what shows the same, across them, too.

    Raises
    ------
    DataError : fewer than `FEWEST` usable images in one of them.
    """
    joined = together(source.x, target.x, pairs=pairs)
    looked = survey(joined, size, cache=cache, max_pixels=max_pixels, progress=progress)
    duplicates = find_duplicates(looked).groups
    groups = merge_groups(duplicates, joined.groups)
    domain = np.repeat([0, 1], [len(source), len(target)])
    usable = np.array([i for i, key in enumerate(looked.ids) if key], dtype=np.int64)
    for side, one in ((0, source), (1, target)):
        refuse_few(one.x.name, int((domain[usable] == side).sum()))
    return Surveyed(source, target, joined, looked, domain, groups, duplicates, usable)


def refuse_few(name: str, count: int) -> None:
    """Raise DataError where a domain is too small to be compared."""
    if count < FEWEST:
        fact = f"{name} holds {count} usable image{'' if count == 1 else 's'}."
        raise DataError(fact, f"Give at least {FEWEST} of each domain: fewer show no shift, and no lack of one.")


def sides_of(
    read: Surveyed,
    known: Known,
    chosen: np.ndarray,
    *,
    backbone: str,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> Sides:
    """Features of the `chosen` at every cut, from one network and one engine: another one would pass for a shift."""
    network = load(backbone, size=read.survey.size)
    found = extract(network, read.survey, chosen, cache=cache, device=device, progress=progress)
    z = {cut: found.at(cut) for cut in found.cuts}
    return Sides(z, read.domain[chosen], known.y[chosen], read.groups[chosen], known.classes, chosen)


def _few_enough(read: Surveyed, seed: int, most: int) -> np.ndarray:
    """Usable images, at most `most` of each domain, whole groups before parts of them."""
    rng = np.random.default_rng(seed)
    names, member = np.unique(read.groups[read.usable], return_inverse=True)
    order = read.usable[np.argsort(rng.permutation(len(names))[member], kind="stable")]
    return np.sort(np.concatenate([order[read.domain[order] == side][:most] for side in (0, 1)]))


def spaces_of(read: Surveyed, known: Known, notes: tuple[str, ...]) -> Spaces:
    """The feature spaces: how large the images of both are, whether they have colours, what they share."""
    mixed = [np.unique(read.groups[read.usable][read.domain[read.usable] == side]) for side in (0, 1)]
    pairs = len(np.intersect1d(mixed[0], mixed[1]))
    return Spaces(_side(read, known, 0), _side(read, known, 1), pairs, notes)


def _side(read: Surveyed, known: Known, side: int) -> Side:
    here = read.usable[read.domain[read.usable] == side]
    images = int((read.domain == side).sum())
    width, height = read.survey.sizes[here].T
    thumbs = read.survey.thumbs[here].astype(np.int16)
    grey = (thumbs.max(axis=3) - thumbs.min(axis=3)).max(axis=(1, 2)) <= COLOURLESS
    counts = np.bincount(known.y[here][known.y[here] >= 0], minlength=len(known.classes))
    return Side(
        (read.source, read.target)[side].x.name,
        images,
        len(here),
        images - len(here),
        _spread(width),
        _spread(height),
        float(grey.mean()),
        None,
        {name: int(count) for name, count in zip(known.classes, counts, strict=True) if count},
    )


def _spread(values: np.ndarray) -> tuple[int, ...]:
    return int(values.min()), int(np.median(values)), int(values.max())


def sides_of_arrays(z_s: np.ndarray, z_t: np.ndarray, known: Known) -> Sides:
    """Rows of features that somebody else computed; none at any cut where their widths differ."""
    n = len(z_s) + len(z_t)
    z = {"features": np.concatenate([z_s, z_t]).astype(np.float32)} if z_s.shape[1] == z_t.shape[1] else {}
    return Sides(z, np.repeat([0, 1], [len(z_s), len(z_t)]), known.y, np.arange(n), known.classes, np.arange(n))


def spaces_of_arrays(z_s: np.ndarray, z_t: np.ndarray, known: Known) -> Spaces:
    """The feature spaces of two arrays: their widths."""
    found, start = [], 0
    for name, z in (("source", z_s), ("target", z_t)):
        refuse_few(name, len(z))
        own = known.y[start : start + len(z)]
        counts = np.bincount(own[own >= 0], minlength=len(known.classes))
        held = {label: int(count) for label, count in zip(known.classes, counts, strict=True) if count}
        found.append(Side(name, len(z), len(z), 0, None, None, None, z.shape[1], held))
        start += len(z)
    return Spaces(found[0], found[1], 0, ())


def fingerprint_of(z_s: np.ndarray, z_t: np.ndarray, y: np.ndarray) -> str:
    """Hash of two arrays and their labels, 32 hex digits."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (z_s, z_t, y):
        digest.update(f"{part.shape} {part.dtype.str}".encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
