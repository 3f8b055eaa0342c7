#!/usr/bin/env python3
"""Characters in the fonts that a system has: real shapes for nothing, in as many styles as there are fonts.

python bench/glyphs.py [FOLDER [SIDE]]

FOLDER (by default ~/.cache/headstart-cases/glyphs) gets one picture of each character and font, SIDE (32) pixels wide,
and `glyphs.csv` (path, label, group), whose groups are families of fonts. Debian has hundreds: `apt-get install
fonts-aenigma fonts-dustin fonts-f500 fonts-sjfonts fonts-georgewilliams fonts-texgyre fonts-urw-base35
fonts-adf-* fonts-averia-*`; the more are installed, the more pictures there are.

Left out: fonts without a picture of their own for some character (boxes, blanks, one case for both), italics and bolds
of a family beyond its first four, and characters that no reader tells apart, which share a class.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DRAWN, EM = 128, 84
"""Pixels of the square that a character is drawn in, and of the font there."""
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ALIKE = ("oO0", "sS", "lI1", "cC", "vV", "wW", "xX", "zZ")
DEFAULTS = ("~/.cache/headstart-cases/glyphs", "32")
"""FOLDER and SIDE."""
STYLES = 4
"""Fonts of a family, at most."""


def main(folder: Path, side: int) -> int:
    """Draw all of them."""
    rows, used, families = [], 0, defaultdict[str, int](int)
    for path, family, _ in fonts():
        if families[family] >= STYLES:
            continue
        pictures = glyphs(path, side)
        if pictures is None:
            continue
        families[family] += 1
        used += 1
        for character, picture in pictures.items():
            name = f"pictures/{used:04d}-{ord(character)}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / name)
            rows.append((name, label(character), family))
    with (folder / "glyphs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    classes = len({row[1] for row in rows})
    print(f"{len(rows)} pictures in {used} fonts of {sum(map(bool, families.values()))} families, {classes} classes")
    return 0


def fonts() -> list[tuple[str, str, str]]:
    """File, family and style of every font of the system, in an order that does not depend on it."""
    listed = subprocess.run(
        ["fc-list", ":lang=en", "--format", "%{file}\t%{family[0]}\t%{style[0]}\n"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = [tuple(line.split("\t")) for line in listed.stdout.splitlines()]
    outlines = [one for one in found if one[0].lower().endswith((".ttf", ".otf", ".pfb"))]
    return sorted(outlines, key=lambda one: (one[1], len(one[2]), one[2], one[0]))  # type: ignore[return-value, arg-type]


def glyphs(path: str, side: int) -> dict[str, np.ndarray] | None:
    """Every character in this font, uint8 (side, side), dark on light; None where it lacks one or draws two alike."""
    try:
        font = ImageFont.truetype(path, EM)
        pictures = {character: draw(font, character, side) for character in CHARACTERS}
        boxes = [draw(font, character, side) for character in "\ue5f3\u0378"]
    except (OSError, ValueError):
        return None
    if any(picture is None for picture in pictures.values()):
        return None
    whole = {character: picture for character, picture in pictures.items() if picture is not None}
    if any(box is not None and np.array_equal(box, picture) for box in boxes for picture in whole.values()):
        return None
    cases = sum(np.array_equal(whole[c], whole[c.lower()]) for c in "ABDEGHQRT")
    return whole if cases == 0 else None


def draw(font: ImageFont.FreeTypeFont, character: str, side: int) -> np.ndarray | None:
    """One character in the middle of a square, at the size that it has in its font; None where nothing is drawn."""
    canvas = Image.new("L", (DRAWN, DRAWN), 255)
    pen = ImageDraw.Draw(canvas)
    left, top, right, bottom = pen.textbbox((0, 0), character, font=font)
    if right <= left or bottom <= top or right - left > 1.5 * DRAWN or bottom - top > 1.5 * DRAWN:
        return None
    pen.text(((DRAWN - right - left) / 2, (DRAWN - bottom - top) / 2), character, font=font, fill=0)
    picture = np.asarray(canvas.resize((side, side), Image.Resampling.LANCZOS))
    return picture if picture.min() < 200 else None


def label(character: str) -> str:
    """The class of a character: those that nobody tells apart share one."""
    return next((alike for alike in ALIKE if character in alike), character)


if __name__ == "__main__":
    told = (*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :])
    sys.exit(main(Path(told[0]).expanduser(), int(told[1])))
