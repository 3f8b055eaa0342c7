#!/usr/bin/env python3
"""Fine-tuning above a cut: an epoch from stored activations against one from images, and its bound.

python bench/suffix.py            measure what bench/grids/engine.toml declares and is not recorded yet
python bench/suffix.py table      print the table
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from measuring import GRID, Row, done, fresh_cache, note, pairs, quiet, recorded, surveyed, timed


def suffix() -> None:
    """An epoch of fine-tuning above a cut, from stored activations and from images, and the bound of the saving."""
    told = GRID["suffix"]
    for size in told["sizes"]:
        for where, cut in told["frozen"].items():
            if not done(what="suffix", where=where, size=size):
                note({"what": "suffix", "where": where, "size": size, **_suffix(told["backbone"], size, cut)})


def _suffix(name: str, size: int, cut: str) -> Row:
    from torch import nn

    from headstart.backbones import Transferred, load
    from headstart.data.batches import Augmentation, Batches
    from headstart.features import activations
    from headstart.objectives import CrossEntropy
    from headstart.training import Recipe, Scores, train

    recipe = Recipe(epochs=1, batch_size=32, lr=0.0, lr_head=0.0, source_statistics=True, views=1)
    with fresh_cache() as cache:
        looked = surveyed("emoji-google", size, cache)
        indices = np.arange(GRID["suffix"]["images"])
        backbone = load(name, size=size)
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 30), frozen=cut, source_statistics=True)
        model = model.to(memory_format=torch.channels_last)
        keys = [looked.ids[i] for i in indices]
        images = Batches(looked.pixels, backbone.preprocessing.tensor, indices, indices % 30, 32, keys)
        stored = activations(model, images, cache=cache, augmentation=Augmentation(), seed=0, views=1)

        def epoch(model: Any, stream: Any) -> float:
            path = cache / "checkpoint"
            path.unlink(missing_ok=True)
            objective, scores = CrossEntropy(), Scores(np.full(2, 0.0), 0.0)
            more = {"seed": 0, "evaluate": lambda _: scores, "checkpoint": path, "progress": quiet}
            return timed(lambda: train(model, stream, objective=objective, recipe=recipe, **more))

        rounds = GRID["suffix"]["rounds"]
        measured = pairs(lambda: epoch(model.above(), stored), lambda: epoch(model, images), rounds=rounds)
        lower, objective = backbone.lower(cut), CrossEntropy()
        batch = next(images.shuffled(1, seed=0, augmentation=None))
        x = batch.x.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            y = lower(x)
        optimizer = torch.optim.AdamW(model.trainable(), lr=0.0, fused=True)

        def prefix() -> float:
            with torch.no_grad():
                return timed(lambda: [lower(x) for _ in range(8)])

        def step() -> None:
            optimizer.zero_grad()
            objective(model.above(), type(batch)(y, batch.y), 0.0)["cross_entropy"].backward()
            optimizer.step()

        model.train()
        bound = pairs(lambda: timed(lambda: [step() for _ in range(8)]), prefix, rounds=rounds)
    most = 1 + bound["ratio"][1]
    return measured | {"bar": GRID["suffix"]["bar"], "bound": most, "of_bound": measured["ratio"][1] / most}


def table() -> None:
    """Markdown of everything recorded."""
    print("| frozen below | pixels | stored | images | saves: median (least to most) | bound | of the bound | bar |")
    print("|---|---|---|---|---|---|---|---|")
    for row in recorded():
        if row["what"] == "suffix":
            low, middle, high = row["ratio"]
            times = f"{row['ours_s']:.3g} s | {row['peer_s']:.3g} s | {middle:.2f}× ({low:.2f} to {high:.2f})"
            limit = f"{row['bound']:.2f}× | {row['of_bound']:.2f} | {row['bar']:g}"
            print(f"| {row['where']} | {row['size']} | {times} | {limit} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        suffix()
    table()
