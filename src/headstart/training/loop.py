"""The one training loop: until the validation loss starts to increase, then back to the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Feed
from headstart.errors import InternalError
from headstart.training.checkpoint import copy_of, put_back, resume, save
from headstart.training.curve import Curve, losers, stop
from headstart.training.inference import Scores
from headstart.training.objective import AfterStep, AtEpoch, Objective, apart, own_parameters, own_state
from headstart.training.recipe import Recipe, held_cut

B = TypeVar("B")


@dataclass(frozen=True, eq=False)
class Trial:
    """One of several trainings that go through the same batches: a model, its recipe and its checkpoint.

    `rival` is the lowest loss of a training before, on the images that `evaluate` judges: what is not going to come
    down to it is dropped at the recipe's rung.
    """

    model: Transferred
    recipe: Recipe
    checkpoint: Path
    rival: float | None = None


def train(
    model: Transferred,
    batches: Feed[B],
    *,
    objective: Objective[B],
    recipe: Recipe,
    seed: int,
    evaluate: Callable[[nn.Module], Scores],
    checkpoint: Path,
    progress: Callable[[int, int], None],
) -> Curve:
    """Train `model` in place and leave it at its best epoch: `train_trials` with one trial."""
    trial = Trial(model, recipe, checkpoint)
    return train_trials([trial], batches, objective=objective, seed=seed, evaluate=evaluate, progress=progress)[0]


def train_trials(
    trials: Sequence[Trial],
    batches: Feed[B],
    *,
    objective: Objective[B],
    seed: int,
    evaluate: Callable[[nn.Module], Scores],
    progress: Callable[[int, int], None],
) -> list[Curve]:
    """Train all models in place, each batch read once for all of them, and leave each at its best epoch.

    Each ends with the bits that it would have alone, unless it is shown at its rung to be worse than another one and
    dropped there: successive halving, with a test in place of a share. Epoch 0 is the model as it came: if every
    epoch is shown to be worse, that is what is left. After every epoch the whole state goes to the checkpoint;
    called again with the same arguments, an interrupted training goes on from there and ends with the same bits.

    Parameters
    ----------
    trials : their recipes agree in all that decides the batches and how many there are.
    objective : what it learns itself trains beside the model, for each trial apart.
    evaluate : gives loss and accuracy on data that `batches` does not hold.
    progress : receives (steps done, steps planned).

    Raises
    ------
    InternalError : a parameter or buffer that should have been frozen has moved, or recipes do not agree.
    """
    recipe = trials[0].recipe
    if len({(r.epochs, r.augmentation, r.views) for r in (trial.recipe for trial in trials)}) != 1:
        raise InternalError("trials that are trained together must go through the same batches")
    steps = recipe.epochs * len(batches)
    objectives = [objective, *(apart(objective) for _ in trials[1:])]
    running = [_Running(trial, own, evaluate) for trial, own in zip(trials, objectives, strict=True)]

    while active := _racing(running):
        epoch = min(one.curve.epoch for one in active) + 1
        active = [one for one in active if one.curve.epoch < epoch]
        for one in active:
            one.begin(epoch, batches, seed=seed)
        stream = batches.shuffled(epoch, seed=seed, augmentation=recipe.augmentation, views=recipe.views)
        for done, batch in enumerate(stream, (epoch - 1) * len(batches)):
            for one in active:
                one.step(batch, done=done, steps=steps)
            progress(done + 1, steps)
        for one in active:
            one.finish(epoch)

    for one in running:
        one.close()
    return [one.curve for one in running]


def _racing(running: Sequence[_Running[B]]) -> list[_Running[B]]:
    """Those that go on. A function of the curves alone, so that resuming drops the same ones."""
    for number in losers([one.curve for one in running]):
        one = running[number]
        if not one.curve.stopped and one.curve.epoch == one.trial.recipe.rung:
            one.drop("another learning rate or decay was shown to do better")
    return [one for one in running if not one.curve.stopped]


class _Running(Generic[B]):
    """A trial under way: its optimiser, its curve, its best state, and random numbers of its own."""

    def __init__(self, trial: Trial, objective: Objective[B], evaluate: Callable[[nn.Module], Scores]) -> None:
        self.trial, self.model = trial, trial.model
        self._objective, self._evaluate = objective, evaluate
        self._device = next(self.model.parameters()).device
        self._fixed = self._never_moves = self.model.fixed_digest()
        self._beside = own_parameters(objective)
        self._optimizer = make_optimizer(self.model, trial.recipe, beside=self._beside)
        state = own_state(objective)
        self.curve, self._best = resume(
            self.model, self._optimizer, trial.checkpoint, beside=state, fixed=self._never_moves
        )
        if not self.curve.points:
            self.curve.add(0, math.nan, evaluate(self.model))
            self._best = copy_of(self.model)

    def begin(self, epoch: int, batches: Feed[B], *, seed: int) -> None:
        torch.manual_seed(seed * 1_000_003 + epoch)
        if isinstance(self._objective, AtEpoch):
            self._objective.at_epoch(self.model, batches)
        self._random = random_state(self._device)
        if self.trial.recipe.gradual:
            self._hold(held_cut(self.model.backbone.cuts, epoch, epochs=self.trial.recipe.epochs))
        self.model.train()
        self._losses: list[float] = []

    def step(self, batch: B, *, done: int, steps: int) -> None:
        # Others step between: what dropout draws must not depend on them.
        set_random_state(self._random, self._device)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * rate(done, steps=steps, warmup=self.trial.recipe.warmup)
        loss = torch.stack(list(self._objective(self.model, batch, done / steps).values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for parameters in (self.model.parameters(), self._beside.values()):
            nn.utils.clip_grad_norm_(parameters, 5.0)
        self._optimizer.step()
        if isinstance(self._objective, AfterStep):
            self._objective.after_step(self.model)
        self._losses.append(loss.item())
        self._random = random_state(self._device)

    def finish(self, epoch: int) -> None:
        scores = self._evaluate(self.model)
        mean = sum(self._losses) / len(self._losses)
        recipe = self.trial.recipe
        if self.curve.add(epoch, mean, scores, rung=epoch == recipe.rung, last=recipe.last):
            self._best = copy_of(self.model)
        self.curve.stopped = stop(self.curve, recipe, rival=self.trial.rival)
        self._save()

    def drop(self, why: str) -> None:
        self.curve.stopped = why
        self._save()

    def _save(self) -> None:
        save(
            self.trial.checkpoint,
            self.model,
            beside=own_state(self._objective),
            best=self._best,
            optimizer=self._optimizer,
            curve=self.curve,
            fixed=self._never_moves,
        )

    def close(self) -> None:
        self._hold("")
        put_back(self.model, self._best)
        self.model.eval()
        self._check_fixed()

    def _hold(self, cut: str) -> None:
        """Unfreeze down to `cut`: what was held until now must be what it was."""
        if cut != self.model.held:
            self._check_fixed()
            self.model.hold(cut)
            self._fixed = self.model.fixed_digest()

    def _check_fixed(self) -> None:
        if self.model.fixed_digest() != self._fixed:
            raise InternalError("A frozen part of the network moved during training.")


def random_state(device: torch.device) -> list[Tensor]:
    """State of torch's random numbers on the CPU and, where that is another one, on `device`."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_state(states: list[Tensor], device: torch.device) -> None:
    """Inverse of `random_state`."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


def rate(step: int, *, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear up over the share `warmup`, then half a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


def make_optimizer(
    model: Transferred, recipe: Recipe, *, beside: Mapping[str, nn.Parameter] | None = None
) -> torch.optim.AdamW:
    """AdamW over what is trainable: the head at its own rate, blocks at theirs, no decay on biases and norms.

    What an objective learns `beside` the model goes at the network's rate.
    """
    depths = model.depths() if recipe.layer_decay != 1 else {}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            peak = recipe.lr * recipe.layer_decay ** depths.get(name, 0)
            peak = recipe.lr_head if name.startswith("head.") else peak
            groups.setdefault((peak, parameter.dim() >= 2), []).append(parameter)
    for parameter in (beside or {}).values():
        groups.setdefault((recipe.lr, parameter.dim() >= 2), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": 0.0, "peak": peak, "weight_decay": recipe.weight_decay if decays else 0.0}
            for (peak, decays), parameters in groups.items()
        ],
        fused=True,
    )
