"""Domains for `bench/adapt.py`, each a table of images and classes: cases as they are, and others built of them.

CASES_DIR is where the cases lie, glyphs among them (`python bench/glyphs.py`).
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
CHARACTERS = {
    "digits": "0123456789",
    "capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "small": "abcdefghijklmnopqrstuvwxyz",
}
HALF = "every second class"
Named = list[tuple[Any, str]]


def domain(name: str, folder: Path, *, most: int, seed: int) -> Path:
    """A table of the domain of this name: a case, and after commas what is taken of it or done to it.

    ``"glyphs, digits"``, ``"fashion, inverted"``, ``"emoji-twitter, every second class"``. Images that are changed are
    others than those that are not, so that no image stands on both sides.
    """
    case, *rest = name.split(", ")
    named = glyphs(rest.pop(0)) if case == "glyphs" else cased(case)
    if case == "fashion":
        # Even places of one shuffle for what stays as it is, odd ones for what is changed.
        order = np.random.default_rng(seed).permutation(len(named))[bool(rest) :: 2]
        named = [named[i] for i in order]
    if HALF in rest:
        rest.remove(HALF)
        wanted = set(sorted({label for _, label in named})[::2])
        named = [one for one in named if one[1] in wanted]
    named = at_most(named, most, seed=seed)
    if rest:
        named = [(changed(Path(path), rest[0]), label) for path, label in named]
    return table_of(named, folder / f"{name.replace(', ', '-').replace(' ', '_')}-{seed}.csv")


def cased(case: str) -> Named:
    """All images of a case."""
    from headstart.problem import read_labelled

    data = read_labelled(CASES / case)
    return [(data.x.images[i], data.task.classes[data.y[i]]) for i in range(len(data))]


def glyphs(which: str) -> Named:
    """All pictures of some characters; a letter's class is the letter, small or not."""
    wanted = CHARACTERS[which]
    found = sorted((CASES / "glyphs/pictures").iterdir())
    drawn = [(path, chr(int(path.stem.rpartition("-")[2]))) for path in found]
    return [(path, character.lower()) for path, character in drawn if character in wanted]


def at_most(named: Named, most: int, *, seed: int) -> Named:
    """So many of them, evenly over their classes."""
    from headstart.shallow import evenly

    labels = np.unique([label for _, label in named], return_inverse=True)[1]
    mixed = np.random.default_rng(seed).permutation(len(named))
    kept = mixed[evenly(np.arange(len(named)), labels[mixed], most)]
    return [named[i] for i in sorted(kept.tolist())]


def changed(path: Path, how: str) -> Path:
    """The image, light for dark or as outlines, drawn once."""
    from PIL import Image
    from scipy.ndimage import gaussian_gradient_magnitude

    made = CASES / "built" / f"fashion-{how}" / path.relative_to(CASES / "fashion")
    if not made.exists():
        x = np.asarray(Image.open(path).convert("L"), np.float32)
        x = {"inverted": lambda: 255 - x, "outlined": lambda: 4 * gaussian_gradient_magnitude(x, 0.7)}[how]()
        made.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(x, 0, 255).astype(np.uint8)).save(made)
    return made


def table_of(named: Named, path: Path) -> Path:
    """A CSV table of images and their classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *named])
    return path
