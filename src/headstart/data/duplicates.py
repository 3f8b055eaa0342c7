"""Images that show the same: they must not stand on both sides of a split.

*Exact*: the same bytes, or the same square of pixels (one picture saved in two formats). *Near*:
the same picture recompressed, resized or slightly retouched. Two images are near duplicates when
all three hold: their difference hashes differ in few bits, their thumbnails differ by little, both
in grey levels and against their own contrast, and their proportions agree. The last two keep
pictures with little in them (icons, digits of 8 × 8 pixels) from being chained together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headstart.data.groups import components, members
from headstart.data.look import THUMB
from headstart.data.survey import Survey

HASH_BITS = 24
"""Near duplicates differ in at most this many of the 256 bits of the hash."""

THUMB_LEVELS = 4.0
"""… and by at most this many grey levels, on average over the thumbnail."""

THUMB_CONTRAST = 0.08
"""… and by at most this share of the thumbnail's own mean deviation from its mean colour."""

PROPORTIONS = 1.1
"""… and their width : height differ by at most this factor."""

_ROWS, _COLUMNS = 512, 4096  # a block of distances that stays in the processor's cache
_CELLS = 4
"""Cells of a thumbnail, each way, whose means are compared before all of it is."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which images show the same.

    Attributes
    ----------
    groups : int64 (n,), one number for each set of images connected by duplication; a broken or
        unique image has a number of its own.
    exact : sets of indices with the same content, each of two or more.
    near : sets of indices connected by duplication that hold at least two different contents.
    """

    groups: np.ndarray
    exact: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, ...], ...]

    def conflicts(self, y: np.ndarray) -> tuple[tuple[int, ...], ...]:
        """The sets of duplicates that hold more than one label of `y`, int64 (n,)."""
        together = (tuple(group.tolist()) for group in members(self.groups) if len(group) > 1)
        return tuple(group for group in together if len(set(y[list(group)].tolist())) > 1)


def find_duplicates(survey: Survey) -> Duplicates:
    """Exact and near duplicates among the readable images of `survey`.

    Thumbnails that differ by at most t on average have means that differ by at most t: sorted by
    mean, every image is compared with a window of others only, in blocks of bounded memory. So have the means of their
    cells, on average: of pictures that are alike in their mean, as those of characters are, these are compared first.
    """
    content = _contents(survey)
    exact = tuple(tuple(group.tolist()) for group in members(content) if len(group) > 1)
    firsts = np.array([group[0] for group in members(content) if survey.ids[group[0]]], dtype=np.int64)
    pairs = [(int(a), int(b)) for a, b in _near_pairs(survey, firsts)]
    pairs += [(group[0], other) for group in exact for other in group[1:]]
    groups = components(len(survey), pairs)
    near = (tuple(group.tolist()) for group in members(groups) if len(set(content[group].tolist())) > 1)
    return Duplicates(groups, exact, tuple(near))


def _contents(survey: Survey) -> np.ndarray:
    """One number for each content; equal bytes or equal squares are one content."""
    first: dict[tuple[str, object], int] = {}
    pairs = []
    for i, key in enumerate(survey.ids):
        if key:
            pairs.append((first.setdefault(("bytes", key), i), i))
            pairs.append((first.setdefault(("square", survey.digests[i].tobytes()), i), i))
    return components(len(survey), pairs)


def _near_pairs(survey: Survey, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs (a, b) of near duplicates among the images `chosen`."""
    means = survey.thumbs[chosen].mean(axis=(1, 2, 3))
    order = np.argsort(means, kind="stable")
    chosen, means = chosen[order], means[order]
    words = survey.hashes[chosen].view(np.uint64)
    allowed = np.minimum(THUMB_LEVELS, THUMB_CONTRAST * _contrast(survey.thumbs))
    last = np.searchsorted(means, means + THUMB_LEVELS, side="right")
    cells = _cells(survey.thumbs)
    for top in range(0, len(chosen), _ROWS):
        bottom = min(top + _ROWS, len(chosen))
        for left in range(top, int(last[bottom - 1]), _COLUMNS):
            a, b = np.nonzero(_distances(words[top:bottom], words[left : left + _COLUMNS]) <= HASH_BITS)
            once = a + top < b + left
            one, other = chosen[a[once] + top], chosen[b[once] + left]
            likely = _likely(cells, allowed, one, other)
            one, other = one[likely], other[likely]
            for part in range(0, len(one), _COLUMNS):
                yield from _verified(survey, allowed, one[part : part + _COLUMNS], other[part : part + _COLUMNS])


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Hamming distances of hashes, uint64 (a, words) and (b, words): uint16 (a, b)."""
    bits = np.zeros((len(one), len(other)), np.uint16)
    for word in range(one.shape[1]):
        bits += np.bitwise_count(one[:, word, None] ^ other[None, :, word])
    return bits


def _cells(thumbs: np.ndarray) -> np.ndarray:
    """Mean grey levels of the cells of each thumbnail, float32 (n, cells)."""
    step = THUMB // _CELLS
    cells = thumbs.reshape(len(thumbs), _CELLS, step, _CELLS, step, 3).mean(axis=(2, 4), dtype=np.float32)
    return np.asarray(cells.reshape(len(thumbs), 3 * _CELLS**2))


def _likely(cells: np.ndarray, allowed: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which of the pairs (a, b) could agree: mean difference of cells is at most that of thumbnails."""
    found = np.zeros(len(a), np.bool_)
    for top in range(0, len(a), _COLUMNS):
        part = slice(top, top + _COLUMNS)
        apart = np.abs(cells[a[part]] - cells[b[part]]).mean(axis=1)
        # Means of cells are rounded, thumbnails are whole numbers.
        found[part] = apart <= np.minimum(allowed[a[part]], allowed[b[part]]) + 1e-3
    return found


def _verified(survey: Survey, allowed: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Those of the pairs (a, b) whose thumbnails and proportions agree, int64 (m, 2)."""
    apart = np.abs(_flat(survey.thumbs[a]) - _flat(survey.thumbs[b])).mean(axis=1, dtype=np.float32)
    alike = apart <= np.minimum(allowed[a], allowed[b])
    stretch = np.log(_proportion(survey.sizes[a]) / _proportion(survey.sizes[b]))
    alike &= np.abs(stretch) <= np.log(PROPORTIONS)
    return np.stack([a[alike], b[alike]], axis=1)


def _contrast(thumbs: np.ndarray) -> np.ndarray:
    """Mean absolute deviation of each thumbnail from its mean colour, in grey levels: (n,)."""
    contrast = np.empty(len(thumbs), np.float32)
    for top in range(0, len(thumbs), _ROWS):
        block = thumbs[top : top + _ROWS].astype(np.float32)
        contrast[top : top + _ROWS] = np.abs(block - block.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2, 3))
    return contrast


def _flat(thumbs: np.ndarray) -> np.ndarray:
    return thumbs.reshape(len(thumbs), THUMB * THUMB * 3).astype(np.int16)


def _proportion(sizes: np.ndarray) -> np.ndarray:
    return np.asarray(sizes[:, 0] / sizes[:, 1])
