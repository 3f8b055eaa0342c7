"""The embedded data set: scikit-learn's handwritten digits, as image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from headstart.records import writing


def write_digits(folder: Path) -> Path:
    """1,797 handwritten digits of 8 × 8 pixels as ``folder/<digit>/<number>.png``.

    A task far from ImageNet: small, grey, without texture. From the UCI repository (E. Alpaydin and
    C. Kaynak, "Optical Recognition of Handwritten Digits", 1998), as scikit-learn ships it.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.round(data.images * (255 / 16)).astype(np.uint8)
    for i, (image, label) in enumerate(zip(pixels, data.target, strict=True)):
        path = folder / str(label) / f"{i:04d}.png"
        if not path.exists():
            with writing(path) as temporary:
                Image.fromarray(image).save(temporary, format="PNG")
    return folder
