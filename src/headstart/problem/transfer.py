"""Source and target together, and target labels that are not to be had before everything is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.errors import DataError, InternalError
from headstart.problem.domain import Labelled, Unlabelled
from headstart.problem.labels import label_spaces
from headstart.problem.rows import few as first_few


@dataclass(frozen=True, eq=False)
class Transfer:
    """Another domain, the same task: what an adaptation may see.

    After Pan & Yang (2010) this is transductive transfer: P(X) differs, the label space is shared, and labels are
    there for the source only. Target labels that were not given are absent: there is no field for them.

    Attributes
    ----------
    source : images with labels.
    target : images without.
    few : the few target images whose labels may be used, some of each class; None where there are none.
    """

    source: Labelled
    target: Unlabelled
    few: Labelled | None = None


class Sealed:
    """The class names of a target's images, behind two doors.

    `few` gives the labels that the user allowed to be used, so many of each class. `opened` gives all of them, and
    opens only to whoever names what was chosen before: it is for reporting. There is no third door.

    Parameters
    ----------
    names : class name of every target image, in the target's order.
    per_class : how many labels of each class may be used; 0 allows none, and hides the names of classes too.
    """

    def __init__(self, names: Sequence[str], *, per_class: int = 0) -> None:
        self.__names = np.array(names, dtype=str)
        self.per_class = per_class

    @property
    def classes(self) -> tuple[str, ...]:
        """The target's classes, which whoever may use labels may know.

        Raises
        ------
        InternalError : no label may be used.
        """
        if not self.per_class:
            raise InternalError("the target's classes were asked for, and no label of it may be used")
        return tuple(sorted(set(self.__names.tolist())))

    def few(
        self, rows: np.ndarray, groups: np.ndarray, classes: Sequence[str], *, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and class numbers of `per_class` images of each class, drawn among `rows`, of different groups.

        Parameters
        ----------
        rows : int64, the target images that may be drawn.
        groups : int64 (n,), of all target images: what shows the same is drawn once.
        classes : the classes to draw, in the order of their numbers.

        Raises
        ------
        DataError : a class has too few different images among `rows`.
        """
        order = np.random.default_rng(seed).permutation(np.sort(rows))
        drawn, y = [], []
        for number, name in enumerate(classes):
            found = order[self.__names[order] == name]
            _, first = np.unique(groups[found], return_index=True)
            found = found[np.sort(first)][: self.per_class]
            if len(found) < self.per_class:
                fact = f"{len(found)} of the target's images that are adapted on are of {name}; {self.per_class} asked."
                raise DataError(fact, "Choose a smaller --labels, or add target images of that class.")
            drawn.append(found)
            y.append(np.full(len(found), number))
        return np.concatenate(drawn), np.concatenate(y).astype(np.int64)

    def opened(self, rows: np.ndarray, *, chosen: str) -> tuple[str, ...]:
        """Class names of the images at `rows`, for a report.

        Parameters
        ----------
        chosen : what was chosen without them; empty means that nothing was, and the door stays shut.

        Raises
        ------
        InternalError : nothing was chosen yet.
        """
        if not chosen:
            raise InternalError("the target's labels were asked for before anything was chosen")
        return tuple(self.__names[rows].tolist())


def shared_classes(source: Sequence[str], target: Sequence[str]) -> tuple[str, ...]:
    """The classes that both have, by name, in the source's order.

    Raises
    ------
    DataError : fewer than two; names that differ in spelling only are offered, never taken for the same.

    Examples
    --------
    >>> shared_classes(["ant", "bee", "cat"], ["bee", "cat", "dog"])
    ('bee', 'cat')
    """
    both = tuple(name for name in source if name in set(target))
    if len(both) > 1:
        return both
    said = f"{len(both)} class" if both else "No class"
    fact = f"{said} has the same name in the source ({first_few(source)}) and in the target ({first_few(target)})."
    offered = first_few(label_spaces(source, target).offered)
    remedy = f"If these are the same, say so: {offered}." if offered else "Name them alike, or say which are (--map)."
    raise DataError(fact, remedy)
