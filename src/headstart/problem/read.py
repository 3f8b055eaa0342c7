"""The ways in: a folder, a table, arrays, or files to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headstart.errors import DataError
from headstart.problem.domain import Domain, Labelled, Task, Unlabelled, printable
from headstart.problem.folders import read_folders
from headstart.problem.table import read_table
from headstart.problem.walk import files_under, reading


def read_labelled(path: Path | str) -> Labelled:
    """The images and labels at `path`; no image is opened.

    Three layouts are read: ``DIR/<class>/<image>``, ``DIR/{train,val,test}/<class>/<image>``, and
    a CSV or Parquet table with the columns ``path, label[, split, group]``.

    Raises
    ------
    DataError : there is nothing, it is none of the three, or it holds fewer than two classes.
    MissingExtraError : a Parquet table, and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("cat/1.png", "dog/1.png"):
    ...     (root / name).parent.mkdir()
    ...     (root / name).touch()
    >>> data = read_labelled(root)
    >>> data.task.classes, data.y.tolist(), data.x.label_of(1)
    (('cat', 'dog'), [0, 1], 'dog/1.png')
    """
    path = Path(path).expanduser()
    with reading(path):
        is_folder, is_there = path.is_dir(), path.exists()
    if not is_there:
        raise DataError(f"There is no folder or table at {printable(path)}.", "Check the path.")
    return read_folders(path) if is_folder else read_table(path)


def labelled_arrays(images: np.ndarray, y: Sequence[object] | np.ndarray) -> Labelled:
    """Images and labels from memory.

    Parameters
    ----------
    images : uint8 (n, h, w) or (n, h, w, c), c = 1 (grey), 3 (RGB) or 4 (RGBA).
    y : n labels, integers or strings; classes are numbered in sorted order.

    Raises
    ------
    DataError : another shape or type, lengths that differ, or fewer than two classes.
    """
    images, labels = image_array(images), np.asarray(y)
    if labels.shape != (len(images),):
        raise DataError(f"There are {len(images)} images, and labels of the shape {labels.shape}.", "Give one each.")
    if labels.dtype.kind not in "biuUO":
        raise DataError(f"Labels have the type {labels.dtype}.", "Give integers or strings.")
    classes, numbers = np.unique(labels if labels.dtype.kind != "O" else labels.astype(str), return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"There is {len(classes)} class in {len(images)} labels.", "Give at least two classes.")
    return Labelled(Domain("arrays", images), numbers.astype(np.int64), Task(tuple(str(name) for name in classes)))


def image_array(images: np.ndarray) -> np.ndarray:
    """The array, if it is one of images: uint8 (n, h, w) or (n, h, w, c), c = 1, 3 or 4.

    Raises
    ------
    DataError : another shape or type.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3, 4)):
        fact = f"Images have the shape {images.shape}."
        raise DataError(fact, "Give (n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels.")
    if images.dtype != np.uint8:
        raise DataError(f"Images have the type {images.dtype}.", "Give uint8, 0 (black) to 255 (white).")
    return images


def read_unlabelled(paths: Sequence[Path | str] | Path | str) -> Unlabelled:
    """The files at `paths`, and all files below those that are folders, each once.

    The order is that of `paths`, and below a folder that of the relative paths.

    Raises
    ------
    DataError : a path does not exist or cannot be read, or there is no file at all.
    """
    given = [Path(path).expanduser() for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    found: list[Path] = []
    for path in given:
        with reading(path):
            is_folder, is_there = path.is_dir(), path.exists()
        if not is_there:
            raise DataError(f"There is no file or folder at {printable(path)}.", "Check the path.")
        found += files_under(path) if is_folder else [path]
    if not found:
        raise DataError(f"There are no files in {', '.join(map(printable, given)) or 'nothing'}.", "Give images.")
    root = given[0] if len(given) == 1 and given[0].is_dir() else None
    return Unlabelled(Domain(printable(given[0].name), tuple(dict.fromkeys(found)), root=root))
