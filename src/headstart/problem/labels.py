"""Two label spaces beside each other: which classes are shared, nearly shared by name, or private to one side."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.errors import OptionError

Relation = Literal["same", "partial", "open", "open partial", "disjoint", "unknown"]

IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "geese": "goose"}
_NUMERALS = "zero one two three four five six seven eight nine".split()


@dataclass(frozen=True)
class LabelSpaces:
    """How the classes of source and target relate; names as the data have them.

    Attributes
    ----------
    shared : classes of both, under one name.
    near : (source, target) pairs whose names differ in spelling only: offered, never taken for shared.
    source_only, target_only : classes of one side; those of `near` are among them.
    """

    shared: tuple[str, ...]
    near: tuple[tuple[str, str], ...]
    source_only: tuple[str, ...]
    target_only: tuple[str, ...]

    @property
    def offered(self) -> tuple[str, ...]:
        """The options that would join classes whose names differ in spelling only."""
        return tuple(mapped(a, b) for a, b in self.near)

    @property
    def relation(self) -> Relation:
        """``same``, ``partial`` (the source has more), ``open`` (the target has), ``open partial``, ``disjoint``."""
        if not self.shared:
            return "disjoint"
        if self.source_only and self.target_only:
            return "open partial"
        return "partial" if self.source_only else "open" if self.target_only else "same"


def label_spaces(source: Sequence[str], target: Sequence[str]) -> LabelSpaces:
    """Compare two lists of class names.

    Examples
    --------
    >>> found = label_spaces(["cat", "Dogs", "bird"], ["cat", "dog", "fish"])
    >>> found.shared, found.near, found.target_only, found.relation
    (('cat',), (('Dogs', 'dog'),), ('dog', 'fish'), 'open partial')
    """
    shared = [name for name in source if name in set(target)]
    only_s = [name for name in source if name not in shared]
    only_t = [name for name in target if name not in shared]
    return LabelSpaces(tuple(shared), tuple(_near(only_s, only_t)), tuple(only_s), tuple(only_t))


def renamed(classes: Sequence[str], mapping: Mapping[str, str], target: Sequence[str] | None) -> tuple[str, ...]:
    """The source's class names with those in `mapping` under the target's name.

    Parameters
    ----------
    target : its class names; None where they may not be known.

    Raises
    ------
    OptionError : a name is not there, or two classes would become one.
    """
    for old, new in mapping.items():
        for name, known, side in ((old, classes, "source"), (new, target, "target")):
            if known is not None and name not in known:
                fact = f"The {side} has no class named {name}."
                raise OptionError(fact, f"Its classes are {', '.join(known[:8])}{' …' if len(known) > 8 else ''}.")
    found = tuple(mapping.get(name, name) for name in classes)
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise OptionError(f"Two classes of the source would be called {twice[0]}.", "Map one class to each name.")
    return found


def mapped(source: str, target: str) -> str:
    """The option that takes a class of the source for one of the target, as a shell reads it.

    >>> mapped("Cat", "a cat")
    "--map 'Cat=a cat'"
    """
    return f"--map {shlex.quote(f'{source}={target}')}"


def normal_form(name: str) -> str:
    """A class name without what people write differently: case, accents, separators, plural, numerals in words.

    >>> [normal_form(name) for name in ("Face_Concerned", "Bicycles", "Boxes", "cherries", "seven", "07")]
    ['face concerned', 'bicycle', 'box', 'cherry', '7', '7']
    """
    text = unicodedata.normalize("NFKD", name)
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold()
    words = re.sub(r"[^\w]+|_+", " ", text).split()
    return " ".join(_singular(word) for word in words) or name


def _singular(word: str) -> str:
    if word.isdecimal():
        return str(int(word))
    if word in _NUMERALS:
        return str(_NUMERALS.index(word))
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _near(source: Sequence[str], target: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of one normal form that no other class of either side has."""
    ours, theirs = ({name: normal_form(name) for name in names} for names in (source, target))
    counts = [Counter(forms.values()) for forms in (ours, theirs)]
    by_form = {form: name for name, form in theirs.items()}
    return [(name, by_form[form]) for name, form in ours.items() if counts[0][form] == counts[1][form] == 1]
