"""Two domains as one set of images: which of them show one item, once in each domain.

One emoji in the style of two vendors, one page scanned by two machines, one patient: such images are one group, so that
none is learned from, or told apart from the other domain, by what its like on the other side has given away.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from headstart.errors import DataError, OptionError
from headstart.problem.domain import Domain

PAIRS = ("auto", "names", "none")

ENOUGH = 0.5
"""Share of the smaller domain's images whose names must be found in the other."""

_COUNTER = re.compile(r"[^\W\d]*[ _.\-]*\(?\d*\)?")
"""A word and a number, like ``IMG_0012``: what says when a picture was taken, not what it shows."""

Names = list[str | None]


def item_names(source: Domain, target: Domain, *, pairs: str = "auto") -> tuple[Names, Names, int]:
    """What item each image shows, None where nothing tells, and how many file names are shared.

    Items are named by the ``group`` column where the data have one; and by equal file names, folders and endings left
    out, where `pairs` is ``names``; or where it is ``auto``, half of the smaller domain has its like in the other, and
    most of the shared names are more than a word and a number. With ``none`` groups of tables hold.

    Raises
    ------
    OptionError : another word for `pairs`.

    Examples
    --------
    >>> one = Domain("ours", (Path("a/sun.png"), Path("a/full moon.png")))
    >>> other = Domain("theirs", (Path("b/full moon.jpg"),))
    >>> item_names(one, other)
    ([None, 'name full moon'], ['name full moon'], 1)
    """
    if pairs not in PAIRS:
        raise OptionError(f"There is no way {pairs} to pair images.", f"Choose among {', '.join(PAIRS)}.")
    columns = [list(domain.groups or [None] * len(domain)) for domain in (source, target)]
    stems = [_stems(domain) for domain in (source, target)]
    shared = set(stems[0]) & set(stems[1]) - {""}
    telling = sum(_COUNTER.fullmatch(stem) is None for stem in shared)
    many = len(shared) >= ENOUGH * min(len(source), len(target))
    if not shared or pairs == "none" or (pairs == "auto" and not (many and 2 * telling > len(shared))):
        return columns[0], columns[1], 0
    named = [
        [group or (f"name {stem}" if stem in shared else None) for group, stem in zip(*both, strict=True)]
        for both in zip(columns, stems, strict=True)
    ]
    return named[0], named[1], len(shared)


def together(source: Domain, target: Domain, *, pairs: str = "auto") -> Domain:
    """Images of the source, then of the target, with the items that go across as groups; see `item_names`.

    Raises
    ------
    DataError : one domain is files and the other is an array.
    OptionError : another word for `pairs`.
    """
    ours, theirs, _ = item_names(source, target, pairs=pairs)
    groups = (*ours, *theirs)
    given = groups if any(groups) else None
    return Domain(f"{source.name} and {target.name}", _images(source, target), given)


def _images(source: Domain, target: Domain) -> tuple[Path, ...] | np.ndarray:
    one, other = source.images, target.images
    if isinstance(one, tuple) and isinstance(other, tuple):
        return one + other
    if isinstance(one, tuple) or isinstance(other, tuple):
        raise DataError("One domain is files, the other is an array.", "Give both in the same way.")
    if one.shape[1:] == other.shape[1:]:
        return np.concatenate([one, other])
    both = np.empty(len(one) + len(other), dtype=object)
    for i, image in enumerate([*one, *other]):
        both[i] = image
    return both


def _stems(domain: Domain) -> list[str]:
    """File names without folder and ending; a name that comes up in several folders stands for nothing."""
    if isinstance(domain.images, np.ndarray):
        return [""] * len(domain)
    stems = [path.stem.casefold() for path in domain.images]
    times = Counter(stems)
    return [stem if times[stem] == 1 else "" for stem in stems]
