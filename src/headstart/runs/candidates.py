"""The finalists: each is trained and judged on the same images, one record a finalist."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.advice import Plan
from headstart.advice.plan import STOP_SHARE
from headstart.backbones import Backbone, Transferred, load, load_random
from headstart.data import folds, inner_split
from headstart.data.batches import Batches
from headstart.errors import StorageError
from headstart.evidence import fit_temperature, interval, log_loss, softmax
from headstart.features import Activations, Features, activations
from headstart.objectives import CrossEntropy
from headstart.records import Record
from headstart.records.arrays import write_arrays
from headstart.runs.context import Context, Prepared, keep_predictions, kept_arrays, kept_predictions
from headstart.runs.probing import Probed, features_of, probe, rows_at
from headstart.shallow import Probe, arrays, fit_probe, head_module, linear_start
from headstart.strategies import Strategy, frozen_cut
from headstart.training import Curve, Recipe, predict_logits, score, train

Replicate = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Source:
    """What a strategy starts from: a backbone's name, its features, and the heads found on them."""

    backbone: str
    architecture: str
    features: Features
    probed: Probed


@dataclass(frozen=True, eq=False)
class Trained:
    """A fitted model and how it came about."""

    model: Transferred
    recipe: dict[str, object]
    curve: Curve | None
    images: int


def replicates(prepared: Prepared, plan: Plan, *, seed: int) -> list[Replicate]:
    """Pairs (fit, judge): the training and the validation part, or folds of both together."""
    split = prepared.split
    if plan.folds is None:
        return [(split.train, split.val)]
    pool = np.sort(np.concatenate([split.train, split.val]))
    parts = folds(prepared.y[pool], prepared.groups[pool], plan.folds, seed=seed)
    return [(pool[fit], pool[judge]) for fit, judge in parts]


def run_candidate(context: Context, prepared: Prepared, plan: Plan, *, row: Strategy, source: Source) -> Record:
    """The unit of work ``candidate/<strategy>``: train on every replicate, judge what it did not see."""
    key = f"candidate/{row.name}"
    finished = context.journal.get(key)
    if finished is not None:
        context.on_record(finished)
        return finished
    started = time.perf_counter()
    parts = replicates(prepared, plan, seed=context.options.seed)
    trained: list[Trained] = []
    kept = []
    for number, (fit, judge) in enumerate(parts):
        name = f"{row.name}-{number}"
        one = fit_strategy(context, prepared, plan, row=row, source=source, indices=fit, name=name)
        path = context.folder / "work" / f"{name}-predictions.safetensors"
        keep_predictions(path, judge, probabilities(context, prepared, one.model, judge))
        kept.append(kept_predictions(path))
        trained.append(one)
    indices = np.concatenate([indices for indices, _ in kept])
    shares = np.concatenate([shares for _, shares in kept])
    together = f"work/{row.name}-predictions.safetensors"
    keep_predictions(context.folder / together, indices, shares)
    record = Record(
        key,
        "candidate",
        data=prepared.fingerprint,
        part="folds" if plan.folds else "val",
        backbone=trained[0].model.backbone.name,
        cut=trained[0].model.frozen if row.trains else "+".join(trained[0].model.cuts),
        strategy=row.name,
        seed=context.options.seed,
        recipe=trained[0].recipe,
        metrics=_judged(context, prepared, indices, shares),
        cost={
            "seconds": time.perf_counter() - started,
            "epochs": sum(len(t.curve.points) - 1 for t in trained if t.curve),
            "images": sum(t.images for t in trained),
        },
        detail={
            "title": row.title,
            "control": row.control,
            "trainable": sum(p.numel() for p in trained[0].model.trainable()) + _head_size(trained[0].model),
            "parameters": sum(p.numel() for p in trained[0].model.parameters()) + _head_size(trained[0].model),
            "curves": [t.curve.to_json() for t in trained if t.curve],
            "predictions": together,
        },
    )
    context.note(record)
    return record


def fit_strategy(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    name: str,
    again: bool = False,
) -> Trained:
    """The model that a strategy makes of the images at `indices`.

    Parameters
    ----------
    name : of the checkpoint under ``work/``.
    again : use the heads that were chosen already, instead of choosing on `indices`.
    """
    path = context.folder / "work" / f"{name}.safetensors"
    if not row.trains:
        return _fit_head(context, prepared, plan, row=row, source=source, indices=indices, again=again)
    fit, stop = _inner(prepared, indices, seed=context.options.seed)
    epochs = plan.epochs[source.backbone][row.name]
    assert row.recipe is not None
    views = plan.views[source.backbone][row.name]
    recipe = replace(row.recipe(len(fit), epochs=epochs), views=views)
    model = _start(context, prepared, row=row, source=source, recipe=recipe, fit=fit)
    curve = _train(context, prepared, model, row=row, recipe=recipe, parts=(fit, stop), checkpoint=path)
    _calibrate(context, prepared, model, stop)
    keep_model(path.with_name(f"{name}-model.safetensors"), model)
    return Trained(model, asdict(recipe), curve, len(fit) * (len(curve.points) - 1))


def probabilities(context: Context, prepared: Prepared, model: Transferred, indices: np.ndarray) -> np.ndarray:
    """Softmax of the model's logits, (m, k)."""
    batches = prepared.batches(indices, model.backbone.preprocessing, size=64, device=context.device)
    return softmax(predict_logits(model.to(context.device), batches))


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


def _fit_head(
    context: Context,
    prepared: Prepared,
    plan: Plan,
    *,
    row: Strategy,
    source: Source,
    indices: np.ndarray,
    again: bool,
) -> Trained:
    backbone = start_backbone(context, row, source)
    features = source.features if row.pretrained else features_of(context, prepared, backbone)
    if row.pretrained and (again or plan.folds is None):
        chosen = source.probed.best
    else:
        title = f"heads on {backbone.name}"
        chosen = probe(context, prepared, features, indices=indices, title=title).best
    estimator = fit_probe(chosen, rows_at(features, prepared, indices, chosen.cuts), prepared.y[indices])
    head = head_module(arrays(estimator))
    model = Transferred(backbone, head, cuts=chosen.cuts, frozen="top")
    return Trained(model.eval(), {"head": chosen.head, "penalty": chosen.penalty}, None, len(indices))


def _inner(prepared: Prepared, indices: np.ndarray, *, seed: int) -> Replicate:
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
        _start_head(head, source.probed.linear, source.features, prepared=prepared, fit=fit)
    frozen = frozen_cut(row, backbone.cuts)
    model = Transferred(backbone, head, frozen=frozen, source_statistics=recipe.source_statistics)
    return model.to(context.device).to(memory_format=torch.channels_last)


def _start_head(head: nn.Linear, linear: Probe, features: Features, *, prepared: Prepared, fit: np.ndarray) -> None:
    estimator = fit_probe(linear, rows_at(features, prepared, fit, linear.cuts), prepared.y[fit])
    weight, bias = linear_start(arrays(estimator))
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)


def _train(
    context: Context,
    prepared: Prepared,
    model: Transferred,
    *,
    row: Strategy,
    recipe: Recipe,
    parts: Replicate,
    checkpoint: Path,
) -> Curve:
    images = [
        prepared.batches(part, model.backbone.preprocessing, size=size, device=context.device)
        for part, size in zip(parts, (recipe.batch_size, 64), strict=True)
    ]
    stored = _stored(context, model, images, row=row, recipe=recipe) if recipe.views else None
    fit, stop = stored or images
    curve = train(
        model.above() if stored else model,
        fit,
        objective=CrossEntropy(recipe.label_smoothing, class_weights=_class_weights(context, prepared, parts[0])),
        recipe=recipe,
        seed=context.options.seed,
        evaluate=lambda current: score(current, stop),
        checkpoint=checkpoint,
        progress=lambda done, total: context.progress(row.title, done, total),
    )
    model.eval()
    return curve


def _stored(
    context: Context, model: Transferred, images: Sequence[Batches], *, row: Strategy, recipe: Recipe
) -> list[Activations] | None:
    """What the frozen part makes of the images to fit to, in all views, and of those to stop on, as they are.

    None where they cannot be stored: trained on the images in the same views, a model ends with the same bits.
    """
    try:
        return [
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
        return None


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


def _judged(
    context: Context, prepared: Prepared, indices: np.ndarray, shares: np.ndarray
) -> dict[str, float | int | None]:
    y = prepared.y[indices]
    found = interval(y, shares.argmax(1), prepared.groups[indices], metric=context.options.metric)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "log_loss": log_loss(y, shares)}


def _head_size(model: Transferred) -> int:
    """Numbers in a fitted shallow head, which stand in buffers, not in parameters."""
    return sum(buffer.numel() for buffer in model.head.buffers())
