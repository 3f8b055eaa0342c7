"""What is found out on the training images before a training: which block trains, and at which rate."""

from __future__ import annotations

import numpy as np

from headstart.backbones import Transferred
from headstart.data.batches import Batch, Stream
from headstart.runs.context import Context, Prepared
from headstart.training import GRADIENT_IMAGES, Objective, Recipe, Sweep, find_rate, relative_gradients

BATCH = 32


def block_gradients(
    context: Context,
    prepared: Prepared,
    model: Transferred,
    *,
    objective: Objective[Batch],
    fit: np.ndarray,
    title: str,
) -> dict[str, float]:
    """Relative gradient norms by block, over a seeded draw of the training images at `fit`, as they are."""
    drawn = np.random.default_rng(context.options.seed).permutation(fit)[:GRADIENT_IMAGES]
    batches = prepared.batches(np.sort(drawn), model.backbone.preprocessing, size=BATCH, device=context.device)
    stage = f"gradients, for {title}"
    context.progress(stage, 0, 1)
    found = relative_gradients(model, list(batches.in_order()), objective=objective)
    context.progress(stage, 1, 1)
    return found


def one_block(model: Transferred, gradients: dict[str, float]) -> Transferred:
    """The same model, of which the block with the largest relative gradient trains, and the head."""
    block = max(gradients, key=lambda cut: gradients[cut])
    return Transferred(model.backbone, model.head, source_statistics=model.source_statistics, block=block)


def found_rate(
    context: Context, model: Transferred, batches: Stream, *, objective: Objective[Batch], recipe: Recipe, title: str
) -> Sweep:
    """The learning rate that the first batches of a training suggest for it."""
    return find_rate(
        model,
        batches,
        objective=objective,
        recipe=recipe,
        seed=context.options.seed,
        progress=lambda done, total: context.progress(f"the learning rate, for {title}", done, total),
    )
