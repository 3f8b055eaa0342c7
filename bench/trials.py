#!/usr/bin/env python3
"""Several learning rates over the same batches: together, one after the other, and as one wide computation.

python bench/trials.py            measure what bench/grids/engine.toml declares and is not recorded yet
python bench/trials.py table      print the table
"""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
import torch
from measuring import GRID, Row, done, fresh_cache, note, pairs, quiet, recorded, surveyed, timed
from torch import nn


def trials() -> None:
    """Each cell: trials together against one after the other; and a step of each kind on ready tensors."""
    told = GRID["trials"]
    for size in told["sizes"]:
        for where, cut in told["frozen"].items():
            if not done(what="trials", where=where, size=size):
                note({"what": "trials", "where": where, "size": size, **_trials(told["backbone"], size, cut)})


def _trials(name: str, size: int, cut: str) -> Row:
    from headstart.backbones import Transferred, load
    from headstart.data.batches import Augmentation, Batches
    from headstart.features import Passing, activations
    from headstart.objectives import CrossEntropy
    from headstart.training import Recipe, Scores, Trial, train_trials, variants

    told = GRID["trials"]
    recipe = Recipe(epochs=1, batch_size=32, lr=1e-6, lr_head=1e-6, source_statistics=True, views=1)
    recipes = variants(recipe, told["trials"])
    with fresh_cache() as cache:
        looked = surveyed("emoji-google", size, cache)
        indices = np.arange(told["images"])
        backbone = load(name, size=size)

        def model() -> Any:
            made = Transferred(
                copy.deepcopy(backbone), nn.Linear(backbone.widths["top"], 30), frozen=cut, source_statistics=True
            )
            return made.to(memory_format=torch.channels_last)

        models = [model() for _ in recipes]
        keys = [looked.ids[i] for i in indices]
        images = Batches(looked.pixels, backbone.preprocessing.tensor, indices, indices % 30, 32, keys)
        stored = activations(models[0], images, cache=cache, augmentation=Augmentation(), seed=0, views=1)
        passing = Passing(images, models[0].backbone.lower(cut).eval())

        def run(numbers: list[int], stream: Any) -> None:
            chosen = [Trial(models[i].above(), recipes[i], cache / f"checkpoint-{i}") for i in numbers]
            for trial in chosen:
                trial.checkpoint.unlink(missing_ok=True)
            more = {"seed": 0, "evaluate": lambda _: Scores(np.full(2, 0.0), 0.0), "progress": quiet}
            train_trials(chosen, stream, objective=CrossEntropy(), **more)

        def together(stream: Any) -> float:
            return timed(lambda: run(list(range(len(models))), stream))

        def apart(stream: Any) -> float:
            return timed(lambda: [run([i], stream) for i in range(len(models))])

        found = {
            kind: pairs(lambda: together(stream), lambda: apart(stream), rounds=told["rounds"])  # noqa: B023
            for kind, stream in (("stored", stored), ("not stored", passing))
        }
        batch = next(stored.shuffled(1, seed=0, augmentation=Augmentation(), views=1))
        found["wide"] = pairs(*_steps(models, batch, cut), rounds=told["rounds"])
        return found


def _steps(models: list[Any], batch: Any, cut: str) -> tuple[Any, Any]:
    """Seconds of eight gradients of all models: stacked into one computation, and in turn."""
    from torch.func import functional_call, grad, stack_module_state, vmap

    uppers = [nn.Sequential(model.backbone.upper(cut), model.head).eval() for model in models]
    parameters, buffers = stack_module_state(uppers)

    def loss(p: Any, b: Any) -> torch.Tensor:
        return nn.functional.cross_entropy(functional_call(uppers[0], (p, b), (batch.x,)), batch.y)

    gradient = vmap(grad(loss))

    def wide() -> float:
        return timed(lambda: [gradient(parameters, buffers) for _ in range(8)])

    def one(upper: nn.Module) -> None:
        upper.zero_grad()
        nn.functional.cross_entropy(upper(batch.x), batch.y).backward()

    def in_turn() -> float:
        return timed(lambda: [one(upper) for _ in range(8) for upper in uppers])

    return wide, in_turn


def table() -> None:
    """Markdown of everything recorded."""
    told = GRID["trials"]
    print(f"| {told['trials']} trials, frozen below | pixels | stored | not stored | one wide step |")
    print("|---|---|---|---|---|")
    for row in recorded():
        if row["what"] == "trials":
            cells = [row[kind]["ratio"] for kind in ("stored", "not stored", "wide")]
            shown = " | ".join(f"{middle:.2f}× ({low:.2f} to {high:.2f})" for low, middle, high in cells)
            print(f"| {row['where']} | {row['size']} | {shown} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        trials()
    table()
