"""Finding the cuts of a network: a chain of segments that composes to the network itself.

timm names the feature-giving modules of nearly every architecture (`feature_info`). One forward
pass with hooks tells in which order modules run; the containers that hold those modules are opened,
and what runs before, between and after is attached to its neighbours. The chain is accepted only
if composing it gives the network's own output bit for bit; a network that is not a chain keeps the
cuts `top` and `logits` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Network = Any
"""A timm model: a module with `forward_features`, `forward_head` and `get_classifier`."""


@dataclass(frozen=True)
class Segment:
    """What runs between one cut and the next: `cut` is the name of its output."""

    cut: str
    module: nn.Module


class _Reached(Exception):
    """Carries the activation that arrived at the module before which a prologue ends."""

    def __init__(self, activation: Tensor) -> None:
        super().__init__()
        self.activation = activation


class Stem(nn.Module):
    """Everything that a network does before its first block, as a module of its own.

    Transformers prepare their tokens in methods, not in submodules; running the network itself and
    leaving it at the first block's door serves every architecture alike. Only the modules and
    parameters that act before that door are registered here.
    """

    def __init__(self, network: Network, first: nn.Module, earlier: Sequence[nn.Module]) -> None:
        super().__init__()
        self.earlier = nn.ModuleList(earlier)
        for name, parameter in network.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        # Held in a tuple, so that the whole network does not become a submodule of its own stem.
        self._outside = (network, first)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) → what arrives at the first block."""
        network, first = self._outside

        def leave(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            raise _Reached(arguments[0])

        handle = first.register_forward_pre_hook(leave)
        try:
            features: Callable[[Tensor], Tensor] = network.forward_features
            return features(x)
        except _Reached as reached:
            return reached.activation
        finally:
            handle.remove()


class Top(nn.Module):
    """The network's own pooling and everything before its classifier: activations → (n, d)."""

    def __init__(self, network: Network, rest: Sequence[nn.Module], used: Sequence[nn.Module]) -> None:
        super().__init__()
        self.rest = nn.ModuleList(rest)
        chain = {id(module) for module in used}
        classifier = network.get_classifier()
        self.head = nn.ModuleList(
            child
            for child in network.children()
            if id(child) not in chain and not _holds(child, chain) and child is not classifier
        )
        self._outside = (network,)

    def forward(self, y: Tensor) -> Tensor:
        """Activation after the last block → (n, d)."""
        for module in self.rest:
            y = module(y)
        (network,) = self._outside
        pooled: Tensor = network.forward_head(y, pre_logits=True)
        return pooled


def find_segments(network: Network, example: Tensor) -> tuple[Segment, ...]:
    """Segments of a timm network in the order in which they run, without the classifier.

    Parameters
    ----------
    network : a timm model with `forward_features`, `forward_head` and, for inner cuts, `feature_info`.
    example : (n, 3, h, w) input at the size at which the network will be used.

    Returns
    -------
    Segments named after their cuts: ``stem``, the blocks under timm's own names, ``top``.
    """
    was_training = network.training
    network.eval()
    with torch.no_grad():
        whole = _whole(network)
        expected = _compose(whole, example)
        try:
            segments = _chain(network, example)
            composes = bool(segments) and torch.equal(_compose(segments, example), expected)
        except (RuntimeError, TypeError, IndexError, AttributeError):
            composes = False  # blocks that take more than one argument, or give a list
    network.train(was_training)
    return segments if composes else whole


def _chain(network: Network, example: Tensor) -> tuple[Segment, ...]:
    """Open the containers of the feature-giving modules and cut after each block."""
    blocks = _block_names(network)
    order = _order_of_calls(network, example, {name.rpartition(".")[0] for name in blocks})
    if not blocks or blocks[0] not in order:
        return ()
    modules = dict(network.named_modules())
    start = order.index(blocks[0])
    running = order[start:]
    stem = Stem(network, modules[running[0]], [modules[name] for name in order[:start]])
    segments = [Segment("stem", stem)] if any(True for _ in stem.parameters()) else []
    pending: list[nn.Module] = [] if segments else [stem]
    for name in running:
        pending.append(modules[name])
        if name in blocks:
            segments.append(Segment(name, pending[0] if len(pending) == 1 else nn.Sequential(*pending)))
            pending = []
    used = [modules[name] for name in order]
    return (*segments, Segment("top", Top(network, pending, used)))


def _whole(network: Network) -> tuple[Segment, ...]:
    """The fallback for what is not a chain: one segment, from image to pooled top."""
    return (Segment("top", _Whole(network)),)


class _Whole(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        classifier = network.get_classifier()
        self.parts = nn.ModuleList(child for child in network.children() if child is not classifier)
        for name, parameter in network.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self._outside = (network,)

    def forward(self, x: Tensor) -> Tensor:
        (network,) = self._outside
        pooled: Tensor = network.forward_head(network.forward_features(x), pre_logits=True)
        return pooled


def _block_names(network: Network) -> list[str]:
    """Names of the modules after which the network may be cut, in order of definition.

    Children of a container that holds feature-giving modules count too (timm lists only one block
    a resolution) if they are built of several layers; lone layers (a norm, an activation) count
    only where timm lists them inside a container.
    """
    info = getattr(network, "feature_info", None) or []
    listed = [entry["module"] for entry in getattr(info, "info", info) if entry.get("module")]
    modules = dict(network.named_modules())
    names: list[str] = []
    for name in listed:
        parent = name.rpartition(".")[0]
        if parent and parent.count(".") == 0 and isinstance(modules.get(parent), nn.Sequential | nn.ModuleList):
            siblings = [f"{parent}.{child}" for child, _ in modules[parent].named_children()]
            names += [s for s in siblings if s in listed or _is_composite(modules[s])]
        elif not parent and name in modules and _is_composite(modules[name]):
            names.append(name)
    return list(dict.fromkeys(names))


def _is_composite(module: nn.Module) -> bool:
    return sum(1 for child in module.modules() if any(True for _ in child.parameters(recurse=False))) > 1


def _order_of_calls(network: Network, example: Tensor, containers: set[str]) -> list[str]:
    """Top-level modules of `forward_features` in the order they run, `containers` opened."""
    order: list[str] = []
    handles = []
    for name, module in network.named_modules():
        depth_ok = name and (
            ("." not in name and name not in containers) or name.rpartition(".")[0] in containers - {""}
        )
        if depth_ok:
            handles.append(module.register_forward_pre_hook(lambda _m, _x, name=name: order.append(name)))
    try:
        network.forward_features(example)
    finally:
        for handle in handles:
            handle.remove()
    return order


def _compose(segments: Sequence[Segment], x: Tensor) -> Tensor:
    for segment in segments:
        x = segment.module(x)
    return x


def _holds(module: nn.Module, wanted: set[int]) -> bool:
    return any(id(child) in wanted for child in module.modules())
