"""The one training loop: until the validation loss starts to increase, then back to the best epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.batches import Stream
from headstart.errors import InternalError
from headstart.records.arrays import read_arrays, write_arrays
from headstart.training.inference import Scores
from headstart.training.objective import Objective
from headstart.training.recipe import Recipe

State = dict[str, Tensor]


@dataclass
class Point:
    """One epoch: mean training loss, and loss and accuracy on the part that decides when to stop."""

    epoch: int
    train_loss: float
    loss: float
    value: float


@dataclass
class Curve:
    """What a training went through. `stopped` says why it ended, `rising` whether it still got better."""

    points: list[Point] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def still_improving(self) -> bool:
        """Whether the best epoch was the last one: more epochs might have given more."""
        return bool(self.points) and self.best_epoch == self.points[-1].epoch

    def to_json(self) -> dict[str, object]:
        """For records: plain lists and numbers."""
        return asdict(self) | {"still_improving": self.still_improving}


def train(
    model: Transferred,
    batches: Stream,
    *,
    objective: Objective,
    recipe: Recipe,
    seed: int,
    evaluate: Callable[[nn.Module], Scores],
    checkpoint: Path,
    progress: Callable[[int, int], None],
) -> Curve:
    """Train `model` in place and leave it at its best epoch.

    Epoch 0 is the model as it came: if no epoch lowers the validation loss, that is what is left.
    After every epoch the whole state goes to `checkpoint`; called again with the same arguments, an
    interrupted training goes on from there and ends with the same bits.

    Parameters
    ----------
    evaluate : gives loss and accuracy on data that `batches` does not hold.
    progress : receives (steps done, steps planned).

    Raises
    ------
    InternalError : a parameter or buffer that should have been frozen has moved.
    """
    frozen = model.frozen_digest()
    optimizer = make_optimizer(model, recipe)
    steps = recipe.epochs * len(batches)
    curve, best = _resume(model, optimizer, checkpoint)
    if not curve.points:
        start = evaluate(model)
        curve.points.append(Point(0, math.nan, start.loss, start.accuracy))
        best = _copy(model)

    while not curve.stopped:
        epoch = curve.points[-1].epoch + 1
        torch.manual_seed(seed * 1_000_003 + epoch)
        model.train()
        losses = []
        stream = batches.shuffled(epoch, seed=seed, augmentation=recipe.augmentation, views=recipe.views)
        for step, batch in enumerate(stream):
            done = (epoch - 1) * len(batches) + step
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate(done, steps=steps, warmup=recipe.warmup)
            loss = torch.stack(list(objective(model, batch, done / steps).values())).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
            progress(done + 1, steps)
        scores = evaluate(model)
        curve.points.append(Point(epoch, sum(losses) / len(losses), scores.loss, scores.accuracy))
        if scores.loss < curve.points[curve.best_epoch].loss:
            curve.best_epoch, best = epoch, _copy(model)
        curve.stopped = _stop(curve, recipe)
        _save(checkpoint, model, best=best, optimizer=optimizer, curve=curve)

    model.load_state_dict(best)
    model.eval()
    if model.frozen_digest() != frozen:
        raise InternalError("A frozen part of the network moved during training.")
    return curve


def _stop(curve: Curve, recipe: Recipe) -> str:
    last = curve.points[-1]
    if not math.isfinite(last.loss):
        return "the validation loss was no longer finite"
    # Counted from the best epoch of training, not from epoch 0: full learning rates first disturb a
    # network that starts from a fitted head, and it comes back as they fall.
    best = min(curve.points[1:], key=lambda point: point.loss)
    if last.epoch - best.epoch >= recipe.patience:
        return f"the validation loss had not fallen for {recipe.patience} epoch{'s' * (recipe.patience > 1)}"
    return "all planned epochs were done" if last.epoch >= recipe.epochs else ""


def rate(step: int, *, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear up over the share `warmup`, then half a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over what is trainable: the head at its own rate, no decay on biases and norms."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("head."), parameter.dim() >= 2), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": 0.0,
                "peak": recipe.lr_head if head else recipe.lr,
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for (head, decays), parameters in groups.items()
        ],
        fused=True,
    )


def _copy(model: nn.Module) -> State:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _save(path: Path, model: nn.Module, *, best: State, optimizer: torch.optim.Optimizer, curve: Curve) -> None:
    """Everything that the next epoch depends on, as named tensors and JSON: no pickle."""
    tensors = {f"model.{name}": tensor.detach() for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    write_arrays(path, arrays, about=json.dumps(asdict(curve)))


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> tuple[Curve, State]:
    """Curve and best state so far; both empty where there is no (whole) checkpoint."""
    found = read_arrays(path)
    if found is None:
        return Curve(), {}
    saved = json.loads(found[1])
    parts: dict[str, State] = {"model": {}, "best": {}, "optimizer": {}}
    for name, array in found[0].items():
        part, _, key = name.partition(".")
        parts[part][key] = torch.from_numpy(array)
    model.load_state_dict(parts["model"])
    state = optimizer.state_dict()
    for key, tensor in parts["optimizer"].items():
        index, _, name = key.partition(".")
        state["state"].setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if moment.shape == parameter.shape:
                # A fused step walks a parameter and its moments in memory order: they have to lie alike.
                moments[name] = torch.empty_like(parameter, requires_grad=False).copy_(moment)
    return Curve([Point(**point) for point in saved["points"]], saved["best_epoch"], saved["stopped"]), parts["best"]
