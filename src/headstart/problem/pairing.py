"""Two domains as one set of images: which of them show one thing twice, once in each domain.

One emoji in the style of two vendors, one page scanned by two machines, one scene by day and by night: such pairs are
one group, so that no classifier meets one half of a pair after it was fitted to the other. What is known of them:

- a `group` column in both tables: the same name on both sides is the same group;
- else equal file names, without their endings, where these are names and not running numbers, and where at least
  half of the smaller domain's files have their like on the other side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np

from headstart.errors import DataError, OptionError
from headstart.problem.domain import Domain

PAIRING = ("auto", "names", "none")

ENOUGH = 0.5
"""Share of the smaller domain whose names must be found in the other."""

UNIQUE = 0.9
"""Different names among all of a domain, at least: ``cat/001`` and ``dog/001`` are not one thing."""

NUMBERED = 0.8
"""Names that are the same but for their digits, at most: ``IMG_0001``, ``IMG_0002`` are running numbers."""


def together(source: Domain, target: Domain, *, pairs: str = "auto") -> Domain:
    """Images of the source, then of the target, with the groups that go across.

    Parameters
    ----------
    pairs : ``auto`` pairs equal file names as told above, ``names`` always, ``none`` never; groups of tables hold.

    Raises
    ------
    DataError : one domain is files and the other is an array.
    OptionError : another word for `pairs`.

    Examples
    --------
    >>> one = Domain("ours", (Path("a/sun.png"), Path("a/moon.png")))
    >>> other = Domain("theirs", (Path("b/moon.jpg"),))
    >>> together(one, other).groups
    ('sun', 'moon', 'moon')
    """
    if pairs not in PAIRING:
        raise OptionError(f"There is no pairing {pairs}.", f"Choose among {', '.join(PAIRING)}.")
    groups: list[str | None] = [
        *(source.groups or [None] * len(source)),
        *(target.groups or [None] * len(target)),
    ]
    if source.groups is None and target.groups is None and pairs != "none":
        groups = list(_by_name(source, target, always=pairs == "names") or groups)
    given = tuple(groups) if any(name is not None for name in groups) else None
    return Domain(f"{source.name} and {target.name}", _images(source, target), given)


def paired_by_name(joined: Domain, source: Domain, target: Domain) -> bool:
    """Whether groups across the domains come from file names."""
    return joined.groups is not None and source.groups is None and target.groups is None


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


def _by_name(source: Domain, target: Domain, *, always: bool) -> tuple[str, ...] | None:
    """File names without their endings, if they pair the domains."""
    if not isinstance(source.images, tuple) or not isinstance(target.images, tuple):
        return None
    ours, theirs = ([path.stem for path in images] for images in (source.images, target.images))
    common = set(ours) & set(theirs)
    smaller = min(ours, theirs, key=len)
    found = sum(name in common for name in smaller) / len(smaller)
    if common and (always or (found >= ENOUGH and _are_names(ours, theirs, common))):
        return tuple(ours + theirs)
    return None


def _are_names(ours: Sequence[str], theirs: Sequence[str], common: Set[str]) -> bool:
    """Names tell one image from another: they hardly repeat, and most do not differ in their digits alone."""
    if any(len(set(names)) < UNIQUE * len(names) for names in (ours, theirs)):
        return False
    forms = Counter(re.sub(r"\d+", "#", name) for name in common)
    return max(forms.values()) <= max(1.0, NUMBERED * len(common))
