"""Everything that the next epoch depends on, as named tensors and JSON: no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.errors import InternalError, RunError
from headstart.records.arrays import read_arrays, write_arrays
from headstart.training.curve import Curve

State = dict[str, Tensor]
Own = Mapping[str, Tensor]


def copy_of(model: Transferred) -> State:
    """Parameters and buffers that training may change, as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.moving_state().items()}


def put_back(model: Transferred, state: State) -> None:
    """Give a model the state that `copy_of` took."""
    _fill(model.moving_state(), state)


def _fill(here: Mapping[str, Tensor], state: State) -> None:
    if here.keys() != state.keys():
        raise InternalError("a checkpoint does not hold what is trained here")
    with torch.no_grad():
        for name, tensor in state.items():
            here[name].copy_(tensor)


def save(
    path: Path,
    model: Transferred,
    *,
    beside: Own,
    best: State,
    optimizer: torch.optim.Optimizer,
    curve: Curve,
    fixed: str,
) -> None:
    """Write the state after an epoch; an interrupted training goes on from it with the same bits.

    `beside` is the objective's own state; `best` is the model's state that is to be handed back; `fixed` is the
    digest of what never moves, of which a checkpoint holds no copy.
    """
    tensors = {f"model.{name}": tensor.detach() for name, tensor in model.moving_state().items()}
    tensors |= {f"beside.{name}": tensor.detach() for name, tensor in beside.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    arrays |= {f"curve.{name}": losses for name, losses in curve.arrays().items()}
    write_arrays(path, arrays, about=json.dumps(curve.to_json() | {"fixed": fixed}))


def resume(
    model: Transferred, optimizer: torch.optim.Optimizer, path: Path, *, beside: Own, fixed: str
) -> tuple[Curve, State]:
    """Curve and best state so far; both empty where there is no (whole) checkpoint.

    Raises
    ------
    RunError : what never moves is not, bit for bit, what the training began with.
    """
    found = read_arrays(path)
    if found is None:
        return Curve(), {}
    saved = json.loads(found[1])
    # An earlier version of headstart wrote no digest.
    if saved.get("fixed", fixed) != fixed:
        fact = f"The frozen weights of the network have changed since the training in {path} was begun."
        raise RunError(fact, "Choose another --out for the changed network, or put the old one back.")
    parts: dict[str, State] = {"model": {}, "beside": {}, "best": {}, "optimizer": {}}
    losses = {}
    for name, array in found[0].items():
        part, _, key = name.partition(".")
        if part == "curve":
            losses[key] = array
        else:
            parts[part][key] = torch.from_numpy(array)
    put_back(model, parts["model"])
    _fill(beside, parts["beside"])
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
    return Curve.from_json(saved, losses), parts["best"]
