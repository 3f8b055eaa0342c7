"""A domain that may come with labels or without: a folder of classes, a folder of images, a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import Domain, Labelled, Unlabelled, printable
from headstart.problem.folders import read_folders
from headstart.problem.read import image_array
from headstart.problem.rows import few
from headstart.problem.table import images_of_table, read_table, table_has_labels
from headstart.problem.walk import IMAGE_SUFFIXES, files_under, listing, reading


def read_either(path: Path | str, *, labels: bool = True) -> Labelled | Unlabelled:
    """The images at `path`, with their labels where there are some and they are wanted; no image is opened.

    Two or more folders in it, and no image beside them, are classes (or ``train``, ``val``, ``test``); anything else
    is a folder of images without labels, at any depth. A table has labels if it has the column.

    Parameters
    ----------
    labels : whether folders and the table's column may be read as labels; where not, the result has none.

    Raises
    ------
    DataError : there is nothing at `path`, or no image in it.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "1.png").touch()
    >>> type(read_either(root)).__name__, len(read_either(root))
    ('Unlabelled', 1)
    """
    path = Path(path).expanduser()
    with reading(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if not is_there:
        raise DataError(f"There is no folder or table at {printable(path)}.", "Check the path.")
    if not is_folder:
        return read_table(path) if labels and table_has_labels(path) else Unlabelled(images_of_table(path))
    folders, files = listing(path)
    if labels and len(folders) > 1 and not any(_is_image(file) for file in files):
        return read_folders(path)
    return _images_below(path)


def unlabelled_arrays(images: np.ndarray) -> Unlabelled:
    """Images from memory, uint8 (n, h, w) or (n, h, w, c), c = 1, 3 or 4, without labels.

    Raises
    ------
    DataError : another shape or type.
    """
    return Unlabelled(Domain("arrays", image_array(images)))


def _images_below(path: Path) -> Unlabelled:
    found = [file for file in files_under(path) if _is_image(file)]
    if not found:
        others = [printable(file.name) for file in files_under(path)]
        held = f"holds no image, only {few(others)}" if others else "is empty: it holds no image"
        raise DataError(f"{printable(path)} {held}.", "Give a folder of images, or of folders that hold them.")
    return Unlabelled(Domain(printable(path.resolve().name), tuple(found), root=path))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
