"""Training towards a domain without labels: one row of `DEEP_ADAPTATIONS`, from a fitted head or the source's model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.advice.costs import STOP_SHARE
from headstart.backbones import Backbone, Transferred
from headstart.backbones.statistics import adapt_batch_norms
from headstart.data import folds, inner_split
from headstart.data.batches import Batches, Feed
from headstart.data.domains import Paired, UnlabelledBatches
from headstart.errors import InternalError
from headstart.evidence import fit_temperature
from headstart.objectives import CrossEntropy
from headstart.objectives.adapt import Adapting
from headstart.runs.two_domains import SourceImages, TargetImages
from headstart.shallow import arrays, best, fit_probe, linear_start, screen
from headstart.strategies import DeepAdaptation
from headstart.training import Curve, Recipe, Scores, predict_logits, score, train

STATISTICS_BATCH = 64
FOLDS = 5


@dataclass(frozen=True, eq=False)
class AdaptedNetwork:
    """A fitted model, in evaluation mode, and how it came about.

    Attributes
    ----------
    model : backbone and a linear head of k classes, calibrated on the source's held-back images where it saw them.
    recipe : of the training, for records; empty where nothing was trained.
    curve : None where nothing was trained. Its losses are those of the source's held-back images; of a row that does
        not see the source, the entropies of its own predictions on the target (accuracy is then not a number).
    images : about how many went through the network in training, source and target together.
    """

    model: Transferred
    recipe: dict[str, Any]
    curve: Curve | None
    images: int


def head_first(backbone: Backbone, source: SourceImages, *, seed: int, device: torch.device) -> Transferred:
    """The network with the linear head that was best out-of-fold on the source's features at its top, not yet trained.

    Ridge regression, its penalty chosen over five folds (`headstart.shallow.screen`), on the images that
    `adapt_network` trains on under the same seed. The backbone is used, not copied.
    """
    fit, _ = inner_split(source.y, source.groups, STOP_SHARE, seed=seed)
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], source.k), source_statistics=True).to(device)
    model = model.to(memory_format=torch.channels_last).eval()
    batches = source.batches(fit, backbone.preprocessing, size=64, device=device)
    with torch.inference_mode():
        z = np.concatenate([model.features(batch.x).float().cpu().numpy() for batch in batches.in_order()])
    there, y = np.unique(batches.y, return_inverse=True)
    groups = source.groups[fit]
    parts = folds(y, groups, min(FOLDS, len(np.unique(groups))), seed=seed)
    probe = best(screen({"top": z}, y, parts))
    weight, bias = linear_start(arrays(fit_probe(probe, {"top": z}, y)))
    head = model.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(bias.min().item())
        head.weight[there], head.bias[there] = weight.to(device), bias.to(device)
    return model


def adapt_network(
    row: DeepAdaptation,
    start: Transferred,
    *,
    source: SourceImages | None,
    target: TargetImages,
    epochs: int,
    seed: int,
    checkpoint: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AdaptedNetwork:
    """Adapt a copy of `start` in the way of a row; interrupted and called again, it goes on with the same bits.

    Where the row sees the source, a share of its images is held back: the curve and the temperature are theirs. Which
    epoch is handed back they say only where the target is not looked at (decision 0038). No label of the target
    is read: the types hold none.

    Parameters
    ----------
    row : of `headstart.strategies.DEEP_ADAPTATIONS`.
    start : what ``row.begins`` says: `head_first`, or the model of a row ``finetuned_source`` that was trained before.
    source : None for a row that does not see it; given all the same, it is not looked at.
    epochs : through the longer one of the two domains.
    checkpoint : file that the state is written to after each epoch.
    progress : told (steps done, steps planned).

    Raises
    ------
    InternalError : the row needs the source's images, and there are none.
    BackboneError : the row adapts batch norms, and the network has none.
    """
    if row.sees_source and source is None:
        raise InternalError(f"{row.name} was asked for without the source's images")
    sides = _sides(start, source if row.sees_source else None, target, seed=seed)
    if row.recipe is None:
        return _statistics(start, sides)
    recipe = row.recipe(sides.n, epochs=epochs)
    model = _beginning(start, recipe, head=row.sees_source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        feed, objective = _feed(row, model, recipe, sides)
    curve = train(
        model,
        feed,
        objective=objective,
        recipe=recipe,
        seed=seed,
        evaluate=sides.evaluate,
        checkpoint=checkpoint,
        progress=progress,
    )
    if sides.judge:
        _calibrate(model, sides.judge)
    both = row.sees_source and row.sees_target
    return AdaptedNetwork(model.eval(), asdict(recipe), curve, curve.epoch * len(feed) * recipe.batch_size * (1 + both))


@dataclass(frozen=True, eq=False)
class _Sides:
    """Both domains as batches of any size: the source's to fit to and to judge by, where it is seen, and the target's.

    `n` images decide the recipe.
    """

    fit: Callable[[int], Batches] | None
    judge: Batches | None
    target: Callable[[int], UnlabelledBatches]
    n: int

    def evaluate(self, model: nn.Module) -> Scores:
        """Losses of the source's images that were held back, or the target's entropies."""
        return score(model, self.judge) if self.judge else _sureness(model, self.target(64))


def _sides(start: Transferred, source: SourceImages | None, target: TargetImages, *, seed: int) -> _Sides:
    of, device = start.backbone.preprocessing, next(start.parameters()).device

    def ours(size: int) -> UnlabelledBatches:
        return target.batches(of, size=size, device=device)

    if source is None:
        return _Sides(None, None, ours, len(target.indices))
    fit, stop = inner_split(source.y, source.groups, STOP_SHARE, seed=seed)

    def theirs(size: int) -> Batches:
        return source.batches(fit, of, size=size, device=device)

    return _Sides(theirs, source.batches(stop, of, size=64, device=device), ours, len(fit))


def _feed(row: DeepAdaptation, model: Transferred, recipe: Recipe, sides: _Sides) -> tuple[Feed[Any], Any]:
    """What the loop reads, and what it lowers."""
    device, target = next(model.parameters()).device, sides.target(recipe.batch_size)
    if row.alone is not None or sides.fit is None:
        assert row.alone is not None
        return target, row.alone()
    source, smoothing = sides.fit(recipe.batch_size), recipe.label_smoothing
    penalties = [row.penalty(model)] if row.penalty else []
    if row.alignment is None:
        return source, CrossEntropy(smoothing, penalties=penalties)
    aligned = Adapting(row.alignment(model), weight=row.weight, label_smoothing=smoothing, penalties=penalties)
    return Paired(source, target), aligned.to(device)


def _beginning(start: Transferred, recipe: Recipe, *, head: bool) -> Transferred:
    model = copy.deepcopy(start)
    model.source_statistics = recipe.source_statistics
    model.head.requires_grad_(head)
    model.hold("")
    return model


def _statistics(start: Transferred, sides: _Sides) -> AdaptedNetwork:
    assert sides.fit is not None
    target, source = sides.target(STATISTICS_BATCH), sides.fit(STATISTICS_BATCH)
    model = adapt_batch_norms(
        start.eval(), (batch.x for batch in target.in_order()), source=(batch.x for batch in source.in_order())
    )
    return AdaptedNetwork(model.eval(), {}, None, len(source.indices) + len(target.indices))


def _sureness(model: nn.Module, target: UnlabelledBatches) -> Scores:
    """Entropy of the model's prediction on each image of the target: what can be said without labels."""

    def entropies() -> Iterator[Tensor]:
        for batch in target.in_order():
            log_p = model(batch.x).log_softmax(1)
            yield -(log_p.exp() * log_p).sum(1).double().cpu()

    was_training = model.training
    model.eval()
    with torch.inference_mode():
        found = torch.cat(list(entropies())).numpy()
    model.train(was_training)
    return Scores(found, math.nan)


def _calibrate(model: Transferred, judge: Batches) -> None:
    """Divide the head by the temperature of the source's images that were held back."""
    temperature = fit_temperature(predict_logits(model, judge), judge.y)
    head = model.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.div_(temperature)
        head.bias.div_(temperature)
