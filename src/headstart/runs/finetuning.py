"""Fine-tuning by backpropagation, from a fitted head or from scratch, above a cut or of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.advice import Plan
from headstart.advice.plan import STOP_SHARE
from headstart.backbones import Backbone, Transferred, load, load_random
from headstart.data import inner_split
from headstart.data.batches import Batches, Stream
from headstart.errors import StorageError
from headstart.evidence import fit_temperature
from headstart.features import Features, Passing, activations
from headstart.objectives import CrossEntropy
from headstart.records.arrays import write_arrays
from headstart.runs.context import Context, Prepared, kept_arrays
from headstart.runs.probing import Probed, head_rows, rows_at
from headstart.shallow import Probe, arrays, fit_probe, linear_start
from headstart.strategies import Strategy, frozen_cut
from headstart.training import Curve, Recipe, Trial, predict_logits, score, train_trials, variants

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
    """A fitted model and how it came about: what was tried, and a note where that was not as planned."""

    model: Transferred
    recipe: dict[str, object]
    curve: Curve | None
    images: int
    trials: tuple[dict[str, float], ...] = ()
    note: str = ""


def fine_tune(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    checkpoint: Path,
) -> Trained:
    """Train on most of the images at `indices`; the others say when to stop, and which trial is best."""
    assert row.recipe is not None
    parts = _inner(prepared, indices, seed=context.options.seed)
    told = (plan.epochs, plan.views, plan.trials)
    epochs, views, tried = (choice[source.backbone][row.name] for choice in told)
    recipe = replace(row.recipe(len(parts[0]), epochs=epochs), views=views)
    model = _start(context, prepared, row=row, source=source, recipe=recipe, fit=parts[0])
    trials = [
        Trial(model.twin() if number else model, one, _numbered(checkpoint, number))
        for number, one in enumerate(variants(recipe, tried))
    ]
    curves, note = _train(context, prepared, trials, row=row, parts=parts)
    best = min(range(tried), key=lambda number: curves[number].lowest)
    chosen, curve = trials[best], curves[best]
    chosen.model.eval()
    _calibrate(context, prepared, chosen.model, parts[1])
    keep_model(checkpoint.with_name(f"{checkpoint.stem}-model.safetensors"), chosen.model)
    tried_with = tuple(
        {"lr": t.recipe.lr, "weight_decay": t.recipe.weight_decay, "loss": c.lowest, "epoch": c.best_epoch}
        for t, c in zip(trials, curves, strict=True)
    )
    images = len(parts[0]) * sum(one.epoch for one in curves)
    return Trained(chosen.model, asdict(chosen.recipe), curve, images, tried_with, note)


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
) -> Transferred:
    """Head first: a pretrained network starts with the head that was best on its top cut."""
    backbone = start_backbone(context, row, source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(context.options.seed)
        head = nn.Linear(backbone.widths["top"], prepared.k)
    if row.pretrained:
        rows = head_rows(prepared, source.features, fit, memory=context.options.memory)
        _start_head(head, source.probed.linear, source.features, prepared=prepared, fit=rows)
    frozen = frozen_cut(row, backbone.cuts)
    model = Transferred(backbone, head, frozen=frozen, source_statistics=recipe.source_statistics, only=row.only)
    return model.to(context.device).to(memory_format=torch.channels_last)


def _start_head(head: nn.Linear, linear: Probe, features: Features, *, prepared: Prepared, fit: np.ndarray) -> None:
    """Rows of the classes that have an image; the others start without weights, at the lowest bias."""
    there, y = np.unique(prepared.y[fit], return_inverse=True)
    estimator = fit_probe(linear, rows_at(features, prepared, fit, linear.cuts), y)
    weight, bias = linear_start(arrays(estimator))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(bias.min().item())
        head.weight[there] = weight
        head.bias[there] = bias


def _train(
    context: Context, prepared: Prepared, trials: Sequence[Trial], *, row: Strategy, parts: Parts
) -> tuple[list[Curve], str]:
    """Curves of the trials, and a note where there was no room for what should have been stored."""
    model, recipe = trials[0].model, trials[0].recipe
    images = [
        prepared.batches(part, model.backbone.preprocessing, size=size, device=context.device)
        for part, size in zip(parts, (recipe.batch_size, 64), strict=True)
    ]
    streams, note = _above(context, model, images, row=row, recipe=recipe) if recipe.views else (images, "")
    fit, stop = streams
    if recipe.views:
        trials = [replace(trial, model=trial.model.above()) for trial in trials]
    objective = CrossEntropy(
        recipe.label_smoothing,
        class_weights=_class_weights(context, prepared, parts[0]),
        mixup=recipe.mixup,
        penalties=[row.penalty(model)] if row.penalty else [],
    )
    curves = train_trials(
        trials,
        fit,
        objective=objective,
        seed=context.options.seed,
        evaluate=lambda current: score(current, stop),
        progress=lambda done, total: context.progress(row.title, done, total),
    )
    return curves, note


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
