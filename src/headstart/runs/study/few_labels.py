"""What a network is worth with a few labels of each class: read by a linear probe at every cut, and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred
from headstart.errors import OptionError
from headstart.objectives import CrossEntropy
from headstart.runs.online import OnlineProbe, pooled
from headstart.runs.probing import linear_rows
from headstart.shallow import screen
from headstart.training import finetune, predict_logits, score, scratch, train

EPOCHS, STEPS = 12, 60
"""Of a fine-tuning: so many epochs, and more of few images, up to so many steps."""
BATCH = 64


def drawn(probe: OnlineProbe, per_class: Sequence[int], *, seed: int) -> dict[int, np.ndarray]:
    """By number of labels of a class, numbers into `probe.fitted`: the smaller sets lie in the larger ones.

    A class with fewer images gives all that it has.

    Raises
    ------
    OptionError : no class has so many.
    """
    y = probe.prepared.y[probe.fitted]
    most = int(np.bincount(y).max())
    if max(per_class) > most:
        fact = f"No class has {max(per_class)} images to learn from; the largest has {most}."
        raise OptionError(fact, "Choose fewer labels of a class.")
    order = np.random.default_rng(seed).permutation(len(y))
    rank = np.empty(len(y), dtype=np.int64)
    for c in np.unique(y):
        own = order[y[order] == c]
        rank[own] = np.arange(len(own))
    return {k: np.flatnonzero(rank < k) for k in per_class}


def read_at(probe: OnlineProbe, backbone: Backbone, sets: dict[int, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
    """By number of labels and by cut, one of which is all together: which judged images a ridge names rightly, (m,)."""
    cuts = tuple(cut for cut in backbone.cuts if cut != "logits")
    z = probe.features(backbone, cuts, joined=True)
    y = probe.prepared.y[probe.judged]
    return {k: {cut: named == y for cut, named in probe.named(z, rows=rows).items()} for k, rows in sets.items()}


def tuned_at(
    probe: OnlineProbe,
    load: Callable[[], Backbone],
    sets: dict[int, np.ndarray],
    *,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    progress: Callable[[str, int, int], None],
) -> dict[int, np.ndarray]:
    """By number of labels, which judged images the network names rightly after it was fine-tuned on them, (m,).

    Head first (a ridge on the top), then everything, to the last epoch: so few images leave none to stop by. Random
    weights are trained by the recipe for training from scratch, for as many epochs.
    """
    found = {}
    for k, rows in sets.items():
        title = f"fine-tuning on {k} a class"
        model, indices = _begun(load(), probe, rows, device), probe.fitted[rows]
        recipe_of = finetune if model.source_statistics else scratch
        steps = -(-len(indices) // recipe_of(len(indices), epochs=1).batch_size)
        epochs = max(EPOCHS, STEPS // steps)
        recipe = replace(recipe_of(len(indices), epochs=epochs), last=True, patience=epochs + 1)
        of = model.backbone.preprocessing
        batches = probe.prepared.batches(indices, of, size=recipe.batch_size, device=device)
        path = checkpoint.with_name(f"{checkpoint.name}-{k}.safetensors")
        train(
            model,
            batches,
            objective=CrossEntropy(label_smoothing=recipe.label_smoothing),
            recipe=recipe,
            seed=seed,
            evaluate=partial(score, batches=batches),
            checkpoint=path,
            progress=partial(progress, title),
        )
        judged = probe.prepared.batches(probe.judged, of, size=BATCH, device=device)
        found[k] = predict_logits(model, judged).argmax(1) == probe.prepared.y[probe.judged]
        path.unlink(missing_ok=True)
    return found


def _begun(backbone: Backbone, probe: OnlineProbe, rows: np.ndarray, device: torch.device) -> Transferred:
    """The network under a ridge on its top, fitted to these images; batch norms keep what they know, if they do."""
    indices = probe.fitted[rows]
    z = pooled(backbone.to(device), probe.prepared.survey.pixels, indices, ("top",))["top"]
    y = probe.prepared.y[indices]
    index = np.unique(y, return_inverse=True)[1]
    (found,) = screen({"top": z}, index, probe.parts(rows))
    weight, bias = linear_rows(found, z, y, k=probe.prepared.k)
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    model = Transferred(backbone, head, source_statistics=not backbone.name.startswith("random/"))
    return model.to(device).to(memory_format=torch.channels_last)
