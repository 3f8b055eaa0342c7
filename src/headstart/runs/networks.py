"""A method that trains, fitted on both domains' images: its network is kept, so that it is trained once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.advice.costs import FEWEST_EPOCHS
from headstart.advice.shares import MOST_EPOCHS
from headstart.backbones import Transferred, load
from headstart.backbones.statistics import has_batch_norms
from headstart.data import Survey
from headstart.data.domains import UnlabelledBatches
from headstart.errors import BackboneError
from headstart.evidence import softmax
from headstart.evidence.distance import discrepancy, spaced
from headstart.records.arrays import read_arrays, write_arrays
from headstart.runs.adapting import adapt_network, head_first
from headstart.runs.context import Context
from headstart.runs.fitted import Fitted, Start, compared_rows, scored_rows
from headstart.runs.options import Adapting
from headstart.runs.pairing import Both
from headstart.runs.two_domains import SourceImages, TargetImages
from headstart.strategies import DEEP_ADAPTATIONS, Adaptation, DeepAdaptation

PASSES = 16_000
"""Images of the longer domain that a training goes through, about: of more images fewer epochs."""
BATCH = 64


def usual_epochs(n: int) -> int:
    """Epochs of a training where none are asked for, n being the images of the longer domain.

    Between `FEWEST_EPOCHS` and `MOST_EPOCHS`, as in a `fit`: few images are gone through more often.

    >>> usual_epochs(300), usual_epochs(2000), usual_epochs(50_000)
    (16, 8, 8)
    """
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, PASSES // max(n, 1)))


def trainable(
    rows: Sequence[Adaptation], backbone: str, *, named: Sequence[str], size: int
) -> tuple[tuple[Adaptation, ...], list[str]]:
    """The rows that a network can be adapted by, and a sentence about each other one.

    Raises
    ------
    BackboneError : one of these is named, and not just its family.
    """
    by_statistics = [row for row in rows if row.training and row.training.recipe is None]
    if not by_statistics or has_batch_norms(load(backbone, size=size)):
        return tuple(rows), []
    for row in by_statistics:
        if row.name in named:
            raise BackboneError(f"{backbone} has no batch norms, which {row.name} adapts.", "Choose another method.")
    notes = [f"Not tried: {row.title}, for {backbone} has no batch norms." for row in by_statistics]
    return tuple(row for row in rows if row not in by_statistics), notes


def on_images(context: Context, both: Both, row: Adaptation, start: Start) -> Fitted:
    """A method that trains."""
    deep = row.training
    assert deep is not None
    model, told = _trained(context, both, deep, start.backbone)

    def own() -> Transferred:
        """The source's own way: where statistics alone are the target's, the source keeps its own."""
        return _trained(context, both, DEEP_ADAPTATIONS[deep.begins], start.backbone)[0] if not deep.recipe else model

    def arrays() -> dict[str, np.ndarray]:
        return _passed(context, both, model, own())

    def distances() -> dict[str, float]:
        ours, theirs = compared_rows(both)
        source, target = (
            _pooled(context, own(), both.source.survey, ours),
            _pooled(context, model, both.target.survey, theirs),
        )
        return {cut: discrepancy(source[cut], target[cut]) for cut in model.backbone.cuts}

    told = dict(told)
    cut, recipe = "+".join(model.cuts), told.pop("recipe")
    return Fitted(lambda: model, arrays, cut, recipe=recipe, training=told, distances=distances)


def _trained(context: Context, both: Both, row: DeepAdaptation, backbone: str) -> tuple[Transferred, dict[str, Any]]:
    """The network that a row makes, trained unless it is kept; and what is told of its training."""
    folder = context.folder / "work"
    kept, checkpoint = folder / f"network-{row.name}.safetensors", folder / f"training-{row.name}.safetensors"
    found = read_arrays(kept)
    if found is None:
        _train(context, both, row, backbone, kept=kept, checkpoint=checkpoint)
        # Read back even where it was trained just now: a resumed run then goes on with the same bits.
        found = read_arrays(kept)
    assert found is not None
    arrays, about = found
    untrained = load(backbone, size=context.options.size)
    model = Transferred(untrained, nn.Linear(untrained.widths["top"], both.source.k))
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return model.to(context.device).to(memory_format=torch.channels_last).eval(), json.loads(about)


def _train(context: Context, both: Both, row: DeepAdaptation, backbone: str, *, kept: Path, checkpoint: Path) -> None:
    """Train, and keep the network; the checkpoint is then of no more use."""
    assert isinstance(context.options, Adapting)
    started, seed, train = time.perf_counter(), context.options.seed, both.source.split.train
    if row.begins == "head":
        source = SourceImages.of(both.source, train)
        start = head_first(load(backbone, size=context.options.size), source, seed=seed, device=context.device)
    else:
        start, _ = _trained(context, both, DEEP_ADAPTATIONS[row.begins], backbone)
    found = adapt_network(
        row,
        start,
        # What works without the source's images is not given them.
        source=SourceImages.of(both.source, train) if row.sees_source else None,
        target=TargetImages.of(both.target.survey, both.target.adapted),
        epochs=context.options.epochs or usual_epochs(max(len(train), len(both.target.adapted))),
        seed=seed,
        checkpoint=checkpoint,
        progress=lambda done, total: context.progress(row.title, done, total),
    )
    state = {name: tensor.cpu().contiguous().numpy() for name, tensor in found.model.state_dict().items()}
    curve = found.curve.to_json() if found.curve else None
    told: dict[str, Any] = {"begins": row.begins, "images": found.images, "curve": curve, "recipe": found.recipe}
    told["seconds"] = time.perf_counter() - started
    write_arrays(kept, state, about=json.dumps(told))
    checkpoint.unlink(missing_ok=True)


def _passed(context: Context, both: Both, model: Transferred, own: Transferred) -> dict[str, np.ndarray]:
    """What `Fitted.arrays` are, of a network and of the source's own way through it."""
    source, target = both.source, both.target
    ours, theirs = scored_rows(both, seed=context.options.seed)
    mapped = ours[spaced(len(ours))]
    shares, map_t = _outputs(context, model, target.survey, theirs)
    kept = _outputs(context, model, source.survey, source.split.val)[0]
    return {
        "target": shares,
        "judged": _outputs(context, model, target.survey, target.judged)[0],
        "held": kept if own is model else _outputs(context, own, source.survey, source.split.val)[0],
        "kept": kept,
        "few": _outputs(context, model, target.survey, target.few)[0],
        "map_s": _outputs(context, own, source.survey, mapped)[1],
        "map_t": map_t,
    }


def _pooled(context: Context, model: Transferred, looked: Survey, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Pooled features ``(n, d)`` of images at every cut of a network."""
    with torch.inference_mode():
        passed = [model.backbone(batch.x) for batch in _batches(context, model, looked, rows).in_order()]
    return {
        cut: torch.cat(parts).float().cpu().numpy()
        for cut, parts in zip(model.backbone.cuts, zip(*passed, strict=True), strict=True)
    }


def _outputs(context: Context, model: Transferred, looked: Survey, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(n, k)`` and features ``(n, d)`` of images, by a network."""
    images, head = _batches(context, model, looked, rows), model.head
    assert isinstance(head, nn.Linear)
    shares, z = [np.empty((0, head.out_features))], [np.empty((0, head.in_features), np.float32)]
    with torch.inference_mode():
        for batch in images.in_order():
            features = model.features(batch.x)
            shares.append(softmax(head(features).double().cpu().numpy()))
            z.append(features.float().cpu().numpy())
    return np.concatenate(shares), np.concatenate(z)


def _batches(context: Context, model: Transferred, looked: Survey, rows: np.ndarray) -> UnlabelledBatches:
    prepare = partial(model.backbone.preprocessing.tensor, device=context.device)
    return UnlabelledBatches(looked.pixels, prepare, rows, BATCH)
