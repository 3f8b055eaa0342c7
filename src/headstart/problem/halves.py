"""One task made into two: the classes of a label space in two halves, each a task on the same domain."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.errors import DataError, OptionError

FEWEST = 2
"""Classes of a half: with fewer there is nothing to tell apart."""


@dataclass(frozen=True)
class Halves:
    """Two tasks that share no class.

    Attributes
    ----------
    a, b : numbers of their classes, ascending.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]

    def __post_init__(self) -> None:
        if min(len(self.a), len(self.b)) < FEWEST:
            fact = f"Halves of {len(self.a)} and {len(self.b)} classes leave nothing to tell apart."
            raise DataError(fact, "Give at least four classes, two for each half.")

    def of(self, letter: str) -> tuple[int, ...]:
        """The classes of half ``A`` or ``B``."""
        return self.a if letter == "A" else self.b


def in_halves(order: Sequence[int]) -> Halves:
    """The first and the second half of some classes; of an odd number, the middle one is in neither."""
    half = len(order) // 2
    return Halves(tuple(sorted(order[:half])), tuple(sorted(order[len(order) - half :])))


def random_halves(k: int, *, seed: int) -> Halves:
    """Half of k classes drawn at random, and the others."""
    order: list[int] = np.random.default_rng(seed).permutation(k).tolist()
    return in_halves(order)


def halves_by_name(classes: Sequence[str]) -> Halves:
    """Classes in the order of their names: what is named alike (``animal-cat``, ``animal-dog``) stays together."""
    return in_halves(sorted(range(len(classes)), key=lambda number: classes[number]))


def read_halves(path: Path, classes: Sequence[str]) -> Halves:
    """Halves from a table ``class,half`` whose halves are ``A`` and ``B``; classes that it does not name are left out.

    Raises
    ------
    OptionError : there is no such file.
    DataError : it is no such table, or names a class twice or one that there is not.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.", "Name a table class,half.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no table of text.", "Write it as CSV with the columns class,half.") from error
    number = {name: at for at, name in enumerate(classes)}
    found: dict[str, list[int]] = {"A": [], "B": []}
    seen: set[str] = set()
    for line, row in enumerate(rows, 2):
        name, half = (str(row.get(column) or "").strip() for column in ("class", "half"))
        if name in seen or name not in number or half not in found:
            told = f"names {name} twice" if name in seen else f"has the class {name!r} in the half {half!r}"
            remedy = f"Each line is a class ({', '.join(classes[:3])}, …) and A or B, under the heading class,half."
            raise DataError(f"{path}, line {line}, {told}.", remedy)
        seen.add(name)
        found[half].append(number[name])
    return Halves(tuple(sorted(found["A"])), tuple(sorted(found["B"])))
