"""A learning rate found on the training images: on a copy of the model it rises until the loss stops falling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Batch, Stream
from headstart.training.loop import make_optimizer, random_state, set_random_state
from headstart.training.objective import Objective, apart, own_parameters
from headstart.training.recipe import Recipe

STEPS = 60
LOWEST, HIGHEST = 1e-5, 1.0
WINDOW = 5
"""Steps that a smoothed loss is the mean of."""
DIVERGED = 2.0
"""The sweep ends when the mean loss of the last `WINDOW` steps is so many times that of the untouched model."""
FELL = 0.01
"""A fall by less than this share of the untouched model's loss suggests nothing."""


@dataclass(frozen=True)
class Sweep:
    """What a range test went through.

    Attributes
    ----------
    rates : the network's learning rate at each step.
    changes : loss of each step minus that of the untouched model on the same batch, smoothed.
    suggested : the rate at the lowest change; None where the loss did not fall.
    """

    rates: tuple[float, ...]
    changes: tuple[float, ...]
    suggested: float | None


def find_rate(
    model: Transferred,
    batches: Stream,
    *,
    objective: Objective[Batch],
    recipe: Recipe,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sweep:
    """The learning rate where the loss stops falling while the rate rises exponentially, step by step.

    At step t of T = `STEPS` every rate of the recipe is scaled so that the network's is
    r_t = r_0 (r_T / r_0)^(t / (T − 1)), from `LOWEST` to `HIGHEST`; L_t is the objective on the t-th batch before
    the step. Single batches differ by more than the loss falls, so that L_t − L⁰_t counts, where L⁰_t is the
    untouched model's on the same batch under the same random numbers: the mean over `WINDOW` steps around t.
    The rate at its minimum is suggested: the upper end of the range that Smith's test gives, to be a peak rate.

    Copies are trained, of the model and of what the objective learns. Model, gradients, and the random state of torch
    and numpy stay as they were, also when this is interrupted.

    Parameters
    ----------
    recipe : decides the optimiser, the views and how rates of head and blocks relate; its own rates do not matter.
    progress : told (steps done, steps at most).

    Source: the range test of Smith 2017, https://arxiv.org/abs/1506.01186, exponential and with early end as in
    Howard & Gugger 2020, https://arxiv.org/abs/2002.04688.
    """
    device = next(model.parameters()).device
    numbers = np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            steps = _steps(model, batches, objective=objective, recipe=recipe, seed=seed)
            return _until_diverged(steps, progress)
    finally:
        np.random.set_state(numbers)  # noqa: NPY002


def scaled(recipe: Recipe, rate: float | None) -> Recipe:
    """The recipe with `rate` for the network and the head's rate in proportion; as it is where there is none.

    >>> from headstart.training.recipe import finetune
    >>> scaled(finetune(600, epochs=8), 1e-3).lr_head
    0.001
    """
    return recipe if rate is None else replace(recipe, lr=rate, lr_head=recipe.lr_head * rate / recipe.lr)


def _steps(
    model: Transferred, batches: Stream, *, objective: Objective[Batch], recipe: Recipe, seed: int
) -> Iterator[tuple[float, float, float]]:
    """Rate, loss, and loss of the untouched model on the same batch, step by step."""
    moved, untouched = model.twin().train(), model.twin().train()
    learning = apart(objective)
    beside = own_parameters(learning)
    optimizer = make_optimizer(moved, recipe, beside=beside)
    for step, batch in zip(range(STEPS), _endless(batches, recipe, seed=seed), strict=False):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        state = random_state(batch.x.device)
        with torch.no_grad():
            before = _loss(objective, untouched, batch).item()
        set_random_state(state, batch.x.device)
        loss = _loss(learning, moved, batch)
        yield rate, loss.item(), before
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate / recipe.lr
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(moved.parameters(), 5.0)
        nn.utils.clip_grad_norm_(beside.values(), 5.0)
        optimizer.step()


def _until_diverged(steps: Iterator[tuple[float, float, float]], progress: Callable[[int, int], None]) -> Sweep:
    taken: list[tuple[float, float, float]] = []
    for step in steps:
        if not all(math.isfinite(value) for value in step):
            break
        taken.append(step)
        progress(len(taken), STEPS)
        if sum(loss for _, loss, _ in taken[-WINDOW:]) > DIVERGED * sum(before for *_, before in taken[-WINDOW:]):
            break
    if not taken:
        return Sweep((), (), None)
    rates, losses, before = (tuple(values) for values in zip(*taken, strict=True))
    changes = _smoothed([loss - other for loss, other in zip(losses, before, strict=True)])
    lowest = changes.index(min(changes))
    fell = changes[lowest] <= -FELL * float(np.mean(before))
    return Sweep(rates, changes, rates[lowest] if fell else None)


def _smoothed(values: Sequence[float]) -> tuple[float, ...]:
    """Means over `WINDOW` values around each, fewer at the ends: a mean over earlier ones alone would lag behind."""
    half = WINDOW // 2
    return tuple(float(np.mean(values[max(0, at - half) : at + half + 1])) for at in range(len(values)))


def _loss(objective: Objective[Batch], model: Transferred, batch: Batch) -> Tensor:
    return torch.stack(list(objective(model, batch, 0.0).values())).sum()


def _endless(batches: Stream, recipe: Recipe, *, seed: int) -> Iterator[Batch]:
    for epoch in count(1):
        yield from batches.shuffled(epoch, seed=seed, augmentation=recipe.augmentation, views=recipe.views)
