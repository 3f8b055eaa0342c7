"""The target of an adaptation: any images, with their labels sealed where they have some and they were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headstart.errors import DataError, OptionError
from headstart.problem.domain import Unlabelled, printable
from headstart.problem.read import labelled_arrays, read_labelled, read_unlabelled
from headstart.problem.transfer import Sealed
from headstart.problem.walk import reading

Target = Path | str | np.ndarray | tuple[np.ndarray, Sequence[object] | np.ndarray]


def read_target(data: Target, *, per_class: int = 0, oracle: bool = False) -> tuple[Unlabelled, Sealed | None]:
    """The images of a target, flat or in class folders; its labels are sealed, and only read where they are wanted.

    The order of the images does not depend on whether labels are read.

    Parameters
    ----------
    data : a folder, a table as `fit` takes it, uint8 images, or a pair (images, labels).
    per_class : labels of each class that may be used.
    oracle : whether all labels may be read in the end, to report.

    Raises
    ------
    DataError : there are no images; or labels were asked for and there are none.
    """
    wanted = per_class > 0 or oracle
    if isinstance(data, np.ndarray):
        if wanted:
            raise OptionError("The target is an array without labels.", "Give (images, labels), or ask for no labels.")
        return Unlabelled(labelled_arrays(data, np.arange(len(data)) % 2).x), None
    if isinstance(data, tuple):
        found = labelled_arrays(*data)
        names = [found.task.classes[number] for number in found.y]
        return Unlabelled(found.x), Sealed(names, per_class=per_class) if wanted else None
    path = Path(data).expanduser()
    with reading(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if is_there and not is_folder:
        found = read_labelled(path)
        names = [found.task.classes[number] for number in found.y]
        return Unlabelled(found.x), Sealed(names, per_class=per_class) if wanted else None
    unlabelled = read_unlabelled(path)
    return (unlabelled, _sealed(path, unlabelled, per_class)) if wanted else (unlabelled, None)


def _sealed(path: Path, unlabelled: Unlabelled, per_class: int) -> Sealed:
    """Labels from the folders that images lie in, in the order of the images."""
    try:
        found = read_labelled(path)
    except DataError as error:
        remedy = "Lay the target out as FOLDER/<class>/<image>, or leave --labels and --oracle out."
        raise DataError(f"The target has no labels to be read: {error.fact}", remedy) from error
    names = dict(zip(found.x.images, (found.task.classes[number] for number in found.y), strict=True))
    outside = [image for image in unlabelled.x.images if image not in names]
    if outside:
        fact = (
            f"{len(outside)} of the target's files lie in no class folder, such as {printable(Path(outside[0]).name)}."
        )
        raise DataError(fact, "Move them into class folders or elsewhere, or leave --labels and --oracle out.")
    return Sealed([names[image] for image in unlabelled.x.images], per_class=per_class)
