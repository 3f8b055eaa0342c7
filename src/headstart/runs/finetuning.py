"""Fine-tuning by backpropagation, from a fitted head or from scratch, above a cut or of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.advice import Plan
from headstart.advice.costs import STOP_SHARE
from headstart.backbones import ADAPTERS, Backbone, Transferred, load, load_random
from headstart.backbones.adapters import coverage
from headstart.data import inner_split
from headstart.data.batches import Batches, Stream
from headstart.errors import StorageError
from headstart.evidence import fit_temperature
from headstart.features import Features, Passing, activations
from headstart.objectives import CrossEntropy, Penalty, Start
from headstart.records.arrays import write_arrays
from headstart.runs.context import Context, Prepared, kept_arrays
from headstart.runs.finding import block_gradients, found_rate, one_block
from headstart.runs.probing import Probed, head_rows, linear_rows, rows_at
from headstart.shallow import Probe
from headstart.strategies import Strategy, frozen_cut
from headstart.training import (
    Curve,
    Recipe,
    Sweep,
    Trial,
    predict_logits,
    scaled,
    score,
    train_trials,
    variants,
)

Parts = tuple[np.ndarray, np.ndarray]

NO_ROOM = "There was no room for stored activations: the frozen part ran on every batch, in the same views."


@dataclass(frozen=True, eq=False)
class Source:
    """What a strategy starts from: a backbone's name, its features, and the heads found on them."""

    backbone: str
    architecture: str
    features: Features
    probed: Probed


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted model and how it came about: what was tried, and a note where that was not as planned.

    Attributes
    ----------
    gradients : relative gradient norms that chose the one block that trains.
    sweep : what found the learning rate.
    """

    model: Transferred
    recipe: dict[str, object]
    curve: Curve | None
    images: int
    trials: tuple[dict[str, float], ...] = ()
    note: str = ""
    gradients: dict[str, float] | None = None
    sweep: Sweep | None = None


def fine_tune(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    checkpoint: Path,
    rival: float | None = None,
) -> Trained:
    """Train on most of the images at `indices`; the others say when to stop, and which trial is best.

    A trial that is not going to come down to the loss `rival` on those others is dropped half-way.
    """
    assert row.recipe is not None
    parts = _inner(prepared, indices, seed=context.options.seed)
    told = (plan.epochs, plan.views, plan.trials)
    epochs, views, tried = (choice[source.backbone][row.name] for choice in told)
    recipe = replace(row.recipe(len(parts[0]), epochs=epochs), views=views)
    model, penalties = _start(context, prepared, row=row, source=source, recipe=recipe, fit=parts[0])
    objective = _objective(context, prepared, recipe=recipe, penalties=penalties, fit=parts[0])
    gradients = None
    if row.frozen == "all but one block":
        gradients = block_gradients(context, prepared, model, objective=objective, fit=parts[0], title=row.title)
        model = one_block(model, gradients)
    streams, note = _streams(context, prepared, model, row=row, recipe=recipe, parts=parts)
    sweep = None
    if context.options.rate == "find":
        sweep = found_rate(
            context, _entered(model, recipe), streams[0], objective=objective, recipe=recipe, title=row.title
        )
        recipe = scaled(recipe, sweep.suggested)
    trials = [
        Trial(model.twin() if number else model, one, _numbered(checkpoint, number), rival)
        for number, one in enumerate(variants(recipe, tried))
    ]
    curves = train_trials(
        [replace(trial, model=_entered(trial.model, recipe)) for trial in trials],
        streams[0],
        objective=objective,
        seed=context.options.seed,
        evaluate=lambda current: score(current, streams[1]),
        progress=lambda done, total: context.progress(row.title, done, total),
    )
    best = min(range(tried), key=lambda number: curves[number].loss)
    chosen, curve = trials[best], curves[best]
    chosen.model.eval()
    _calibrate(context, prepared, chosen.model, parts[1])
    keep_model(checkpoint.with_name(f"{checkpoint.stem}-model.safetensors"), chosen.model.merged())
    if row.only in ADAPTERS:
        note = f"{coverage(chosen.model.backbone)} {note}".strip()
    tried_with = tuple(
        {"lr": t.recipe.lr, "weight_decay": t.recipe.weight_decay, "loss": c.loss, "epoch": c.best_epoch}
        for t, c in zip(trials, curves, strict=True)
    )
    images = len(parts[0]) * sum(one.epoch for one in curves)
    return Trained(chosen.model, asdict(chosen.recipe), curve, images, tried_with, note, gradients, sweep)


def found(trained: Sequence[Trained]) -> dict[str, list[dict[str, Any]]]:
    """For records, one a training: which block was chosen by which norms, and the sweeps that found the rates."""
    return {
        "blocks": [{"block": t.model.block, "gradients": t.gradients} for t in trained if t.gradients],
        "sweeps": [asdict(t.sweep) for t in trained if t.sweep],
    }


def _numbered(checkpoint: Path, number: int) -> Path:
    return checkpoint.with_name(f"{checkpoint.stem}-trial{number}.safetensors") if number else checkpoint


def keep_model(path: Path, model: Transferred) -> None:
    """Write a model's parameters and buffers."""
    write_arrays(path, {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()})


def kept_model(path: Path, backbone: Backbone, *, classes: int, frozen: str) -> Transferred:
    """A fine-tuned model as `keep_model` wrote it."""
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], classes), frozen=frozen)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in kept_arrays(path).items()})
    return model.eval()


def start_backbone(context: Context, row: Strategy, source: Source) -> Backbone:
    """The network that a strategy starts from: the source's weights, or random ones of the run's seed."""
    options = context.options
    if row.pretrained:
        return load(source.backbone, size=options.size)
    return load_random(source.architecture, size=options.size, seed=options.seed)


def _inner(prepared: Prepared, indices: np.ndarray, *, seed: int) -> Parts:
    fit, stop = inner_split(prepared.y[indices], prepared.groups[indices], STOP_SHARE, seed=seed)
    return indices[fit], indices[stop]


def _start(
    context: Context, prepared: Prepared, *, row: Strategy, source: Source, recipe: Recipe, fit: np.ndarray
) -> tuple[Transferred, list[Penalty]]:
    """Head first: a pretrained network starts with the head that was best on its top cut; what is added to its loss."""
    backbone = start_backbone(context, row, source)
    classifier = backbone.classifier()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.options.seed)
        head = nn.Linear(backbone.widths["top"], prepared.k)
        frozen = frozen_cut(row, backbone.cuts)
        model = Transferred(backbone, head, frozen=frozen, source_statistics=recipe.source_statistics, only=row.only)
    z, y = np.empty((0, backbone.widths["top"]), "f4"), np.empty(0, "i8")
    if row.pretrained:
        rows = head_rows(prepared, source.features, fit, memory=context.options.memory)
        z, y = rows_at(source.features, prepared, rows, ("top",))["top"], prepared.y[rows]
        _start_head(head, source.probed.linear, z, y)
    model = model.to(context.device).to(memory_format=torch.channels_last)
    entered = model.above() if recipe.views else model
    start = Start(entered, classifier.to(context.device) if classifier else None, z, y)
    return model, [row.penalty(start)] if row.penalty else []


def _start_head(head: nn.Linear, linear: Probe, z: np.ndarray, y: np.ndarray) -> None:
    weight, bias = linear_rows(linear, z, y, k=head.out_features)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)


def _objective(
    context: Context, prepared: Prepared, *, recipe: Recipe, penalties: Sequence[Penalty], fit: np.ndarray
) -> CrossEntropy:
    return CrossEntropy(
        recipe.label_smoothing,
        class_weights=_class_weights(context, prepared, fit),
        mixup=recipe.mixup,
        penalties=penalties,
    )


def _streams(
    context: Context, prepared: Prepared, model: Transferred, *, row: Strategy, recipe: Recipe, parts: Parts
) -> tuple[Sequence[Stream], str]:
    """What is trained on and what training stops on, and a note where there was no room for what should be stored."""
    images = [
        prepared.batches(part, model.backbone.preprocessing, size=size, device=context.device)
        for part, size in zip(parts, (recipe.batch_size, 64), strict=True)
    ]
    return _above(context, model, images, row=row, recipe=recipe) if recipe.views else (images, "")


def _entered(model: Transferred, recipe: Recipe) -> Transferred:
    """The model as it reads its stream: activations at the frozen cut, or images."""
    return model.above() if recipe.views else model


def _above(
    context: Context, model: Transferred, images: Sequence[Batches], *, row: Strategy, recipe: Recipe
) -> tuple[Sequence[Stream], str]:
    """What the frozen part makes of the images to fit to, in all views, and of those to stop on, as they are.

    Where they cannot be stored it runs on every batch: in the same views, a model ends with the same bits.
    """
    try:
        stored = [
            activations(
                model,
                batches,
                cache=context.cache,
                augmentation=recipe.augmentation,
                seed=context.options.seed,
                views=views,
                progress=lambda done, total: context.progress(f"the frozen part, for {row.title}", done, total),
            )
            for batches, views in zip(images, (recipe.views, 0), strict=True)
        ]
    except StorageError:
        lower = model.backbone.lower(model.frozen).eval()
        return [Passing(batches, lower) for batches in images], NO_ROOM
    return stored, ""


def _class_weights(context: Context, prepared: Prepared, fit: np.ndarray) -> torch.Tensor | None:
    """Weights n / (k n_c), where classes and not images should weigh equally."""
    if context.options.class_weight == "none":
        return None
    counts = np.bincount(prepared.y[fit], minlength=prepared.k).clip(1)
    return torch.tensor(len(fit) / (prepared.k * counts), dtype=torch.float32, device=context.device)


def _calibrate(context: Context, prepared: Prepared, model: Transferred, stop: np.ndarray) -> None:
    """Divide the head by the temperature of the images that training stopped on."""
    batches = prepared.batches(stop, model.backbone.preprocessing, size=64, device=context.device)
    temperature = fit_temperature(predict_logits(model, batches), prepared.y[stop])
    head = model.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
