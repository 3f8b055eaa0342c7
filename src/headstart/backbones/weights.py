"""Reading weights without ever unpickling: safetensors, or `.pth` through `weights_only`."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from headstart.errors import BackboneError

State = dict[str, Tensor]


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors`, `.pth`, `.pt` or `.bin` file, by name.

    Raises
    ------
    BackboneError : the file is missing, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise BackboneError(f"There is no weights file at {path}.", "Check the path after `file:`.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        fact = f"{path} cannot be read as weights: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise BackboneError(fact, "Only tensors are read; save the model's state_dict() as .safetensors.") from error
    for key in ("state_dict", "model", "state_dict_ema"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise BackboneError(f"{path} does not hold a state dict.", "Save the model's state_dict().")
    return {name.removeprefix("module."): tensor for name, tensor in loaded.items()}


def fill(network: nn.Module, state: State, origin: str) -> None:
    """Load `state` into `network`, whose classifier was made to fit.

    Raises
    ------
    BackboneError : names the first tensors that are missing, left over, or of another shape.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    left_over = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    for names, what in ((missing, "are missing"), (left_over, "are left over"), (shapes, "have another shape")):
        if names:
            listed = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            fact = f"The weights of {origin} do not fit the architecture: {len(names)} tensors {what} ({listed})."
            raise BackboneError(fact, "Name the architecture they were made for: file:PATH@timm-architecture.")
    network.load_state_dict(state, strict=False)


def in_order(network: nn.Module, state: State, origin: str) -> State:
    """Rename tensors that stand in the same order under other names (checked shape by shape)."""
    own = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    given = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    if [t.shape for t in own.values()] != [t.shape for t in given.values()]:
        raise BackboneError(f"The weights of {origin} do not fit the architecture.", "Reinstall the package.")
    return dict(zip(own, given.values(), strict=True))


def packaged_file(package: str) -> Path | None:
    """The weights file inside an installed package, or None; the package itself is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations)))
    files = sorted(path for pattern in ("*.pth", "*.pt", "*.safetensors") for path in folder.rglob(pattern))
    return files[0] if files else None
