"""Some of the sets that a network learns from, as pictures: what it was shown, and what it was asked."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from headstart.records import Record, writing
from headstart.runs.context import Context
from headstart.runs.material import Material
from headstart.runs.surrogates import Posed
from headstart.strategies import SurrogateTask

SETS, VIEWS = 6, 6
SIDE, GAP = 64, 4
"""Pixels of a picture of the strip, and between two of them."""


def show_sets(context: Context, row: SurrogateTask, material: Material, posed: Posed) -> Record:
    """A strip of pictures for each of some sets; the record ``shown``.

    Of sets of one image the strip shows it in several views; of others all their images.
    """
    rng = np.random.default_rng(context.options.seed)
    numbers = np.sort(rng.choice(posed.feed.count, min(SETS, posed.feed.count), replace=False))
    views = VIEWS if row.frames == 1 else 1
    seed, augmentation = context.options.seed, posed.augmentation
    made = [posed.feed.make(numbers, view, seed, augmentation) for view in range(views)]
    x = torch.cat([one.x for one in made], 1)
    if row.name == "rotation":
        x = torch.stack([torch.rot90(x[:, 0], k, (2, 3)) for k in range(4)], 1)
    shown = []
    for number, (images, y) in enumerate(zip(x, made[0].y, strict=True)):
        path = f"pictures/set-{number}.png"
        with writing(context.folder / path) as temporary:
            _strip(images).save(temporary, format="PNG")
        shown.append({"picture": path, "answer": _answer(row, material, posed, y.tolist())})
    return Record("shown", "shown", strategy=row.name, detail={"sets": shown, "question": row.question})


def _strip(images: torch.Tensor) -> Image.Image:
    """Images (w, 3, h, w), stretched alike to what can be seen, side by side."""
    values = images.cpu().float()
    low, high = values.min(), values.max()
    squares = ((values - low) / (high - low).clamp(min=1e-6) * 255).permute(0, 2, 3, 1).byte().numpy()
    strip = Image.new("RGB", (len(squares) * (SIDE + GAP) - GAP, SIDE), "white")
    for place, square in enumerate(squares):
        strip.paste(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.NEAREST), (place * (SIDE + GAP), 0))
    return strip


def _answer(row: SurrogateTask, material: Material, posed: Posed, y: list[int]) -> str:
    """What is right of a set, in words."""
    if row.name == "rotation":
        return "0, 1, 2, 3 quarters"
    if row.needs == "labels":
        return material.classes[y[0]]
    if row.name == "exemplar":
        return f"seed {y[0]}"
    if row.needs == "frames":
        assert material.frames is not None
        return f"{material.frames.names[y[0]]}, frame {y[1]}"
    if row.needs == "motion":
        if material.poses is not None and material.poses.names:
            return material.poses.names[y[0]]
        told = zip(posed.told["axes"], y, posed.told["bins"], strict=True)
        return ", ".join(f"{axis} {bin + 1} of {k}" for axis, bin, k in told)
    return "two views of one image"
