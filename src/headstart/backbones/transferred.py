"""The model that transfer gives: a backbone kept below a cut, what is above it, and a new head."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from headstart.backbones.adapters import adapt, adapters, merge
from headstart.backbones.backbone import Backbone
from headstart.errors import InternalError

Only = Literal["", "norms", "biases", "adapters", "decomposed"]
"""What trains above the frozen part: everything, or the weights and biases of norms, or biases (and the head).

``adapters`` puts low-rank adapters beside the weights; they train, and nothing that was there before. ``decomposed``
does the same, with a magnitude for every output.
"""
ADAPTERS = ("adapters", "decomposed")
BATCH_NORMS = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True)
class Part:
    """What trains between one cut and the next: numbers in parameters and in buffers, and how many of them may move."""

    cut: str
    parameters: int
    training: int
    buffers: int
    moving: int


class Transferred(nn.Module):
    """Backbone and head; everything up to `frozen` stays bit for bit what it was.

    Parameters
    ----------
    backbone : is used, not copied; the source's classifier is cut off unless the head reads it.
    head : (n, d) features → (n, k) logits; d is the sum of the widths at `cuts`.
    cuts : the head reads the pooled features at these cuts, concatenated in this order.
    frozen : the last cut of the frozen part; ``""`` freezes nothing.
    source_statistics : batch norms above the cut normalise by the source's statistics, as a head
        fitted to the source's features expects, while their weights and biases train.
    only : ``norms`` or ``biases`` trains nothing but those above the cut, and the head; `ADAPTERS` change
        the backbone (see `headstart.backbones.adapters`) and train what they add, and the head.
    block : trains nothing but what runs between this cut and the one before it, and the head;
        `frozen` is then the cut before it.

    The frozen part takes no gradient and behaves as in evaluation whatever `train()` says, so its
    batch-norm statistics do not move, and dropout and stochastic depth are off in it. So does what lies
    above a `block`, which passes the gradient on. What else does not train stays bit for bit as well, a head
    that is told to take no gradient among it; `fixed_state` names all of it.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> backbone = load_random("resnet18", size=32, seed=0)
    >>> model = Transferred(backbone, nn.Linear(512, 3), frozen="layer3")
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        *,
        cuts: Sequence[str] = ("top",),
        frozen: str = "",
        source_statistics: bool = False,
        only: Only = "",
        block: str = "",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.cuts = tuple(cuts)
        self.frozen = backbone.before(block) if block else frozen
        self.block = block
        self.source_statistics = source_statistics
        self.only = only
        self.held = ""
        self._enters_at_cut = False
        if "logits" not in self.cuts:
            backbone.cut_off_top()
        if only in ADAPTERS:
            adapt(backbone, decomposed=only == "decomposed")
        self.hold("")

    def hold(self, cut: str) -> None:
        """Freeze what is below `cut` too, for the time being; ``""`` lets go of all but the frozen part.

        An optimiser made before keeps its state: a parameter without a gradient is left as it is.
        """
        self.held = cut
        for parameter in self.backbone.parameters():
            parameter.requires_grad_(not self.only)
        for parameter in self._chosen():
            parameter.requires_grad_(True)
        for module in self._still_modules():
            module.requires_grad_(False)
        self.train(self.training)

    def _chosen(self) -> Iterator[nn.Parameter]:
        for layer in adapters(self.backbone) if self.only in ADAPTERS else ():
            for part in (layer.lora_A, layer.lora_B, layer.lora_magnitude_vector):
                yield from part.parameters()
        for module in self.backbone.modules():
            # Many architectures bring norms of their own, which share a name but no type.
            if self.only == "norms" and "norm" in type(module).__name__.lower():
                yield from module.parameters(recurse=False)
            elif self.only == "biases" and isinstance(bias := getattr(module, "bias", None), nn.Parameter):
                yield bias

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen == "top" and "logits" in self.cuts:
            return [self.backbone.lower("top"), self.backbone.network.get_classifier()]
        below = [self.backbone.lower(self.frozen)] if self.frozen else []
        above = [self.backbone.upper(self.block)] if self.block else []
        return [*below, *above]

    def _still_modules(self) -> list[nn.Module]:
        return [*self._frozen_modules(), *([self.backbone.lower(self.held)] if self.held else [])]

    def train(self, mode: bool = True) -> Transferred:
        """Set what trains to training mode; the frozen part stays in evaluation mode."""
        super().train(mode)
        for module in self._still_modules():
            module.eval()
        for module in self.backbone.modules() if self.source_statistics else ():
            if isinstance(module, BATCH_NORMS):
                module.eval()
        return self

    def above(self) -> Transferred:
        """The same model, entered at its frozen cut: it takes activations there instead of images.

        Parameters, buffers and their names are shared, so that to train one is to train the other.

        Raises
        ------
        InternalError : nothing is frozen, or the head reads a cut below the frozen one.
        """
        if self.cuts != ("top",) or self.frozen in ("", "top"):
            raise InternalError("only a model that is frozen below a cut, and read at the top, can be entered there")
        entered = copy.copy(self)
        entered._enters_at_cut = True
        return entered

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) normalised images, or activations at the frozen cut → (n, d) features that the head reads."""
        if self._enters_at_cut:
            entered: Tensor = self.backbone.upper(self.frozen)(x)
            return entered
        if self.cuts == ("top",):
            if not self.frozen:
                whole: Tensor = self.backbone.upper("")(x)
                return whole
            # Only what is frozen may skip the graph, so a gradient can never leak below the cut.
            with torch.no_grad():
                y = self.backbone.lower(self.frozen)(x)
            above: Tensor = self.backbone.upper(self.frozen)(y)
            return above
        with torch.no_grad() if self.frozen == "top" else nullcontext():
            pooled = dict(zip(self.backbone.cuts, self.backbone(x), strict=True))
        return torch.cat([pooled[cut] for cut in self.cuts], 1)

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        """What `features` takes, on its way to them: activations that are not pooled at the cuts above the frozen one.

        By cut, from the lowest to ``top``, which is what `features` gives where the head reads nothing else.
        """
        if self.frozen and not self._enters_at_cut:
            with torch.no_grad():
                x = self.backbone.lower(self.frozen)(x)
        segments = self.backbone.segments()
        start = [cut for cut, _ in segments].index(self.frozen) + 1 if self.frozen else 0
        found = {}
        for cut, module in segments[start:]:
            x = module(x)
            found[cut] = x
        return found

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) normalised images, or activations at the frozen cut → (n, k) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def trainable(self) -> list[nn.Parameter]:
        """The parameters that training may move."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def moving_state(self) -> dict[str, Tensor]:
        """Parameters and buffers that training may change, by name, those that are only held among them."""
        fixed = self._fixed_places()
        return {name: tensor for name, tensor in self.state_dict().items() if _place(tensor) not in fixed}

    def fixed_state(self) -> dict[str, Tensor]:
        """Parameters and buffers that may not change now, by name: frozen, not chosen to train, or held."""
        fixed = self._fixed_places() | {p for m in self._still_modules() for p in _places(m)}
        # Buffers that are not saved with a model stand outside of its state dict; frozen they are all the same.
        everything = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: tensor for name, tensor in everything.items() if _place(tensor) in fixed}

    def _fixed_places(self) -> set[tuple[int, tuple[int, ...]]]:
        fixed = {place for module in self._frozen_modules() for place in _places(module)}
        fixed |= {_place(p) for p in self.head.parameters() if not p.requires_grad}
        if self.only:
            chosen = {_place(parameter) for parameter in self._chosen()}
            fixed |= {place for p in self.backbone.parameters() if (place := _place(p)) not in chosen}
        for module in self.backbone.modules() if self.source_statistics else ():
            if isinstance(module, BATCH_NORMS):
                fixed |= {_place(buffer) for buffer in module.buffers(recurse=False)}
        return fixed

    def twin(self) -> Transferred:
        """A copy that trains apart; what never moves is shared, not copied."""
        fixed = self._fixed_places()
        return copy.deepcopy(self, {id(t): t for t in (*self.parameters(), *self.buffers()) if _place(t) in fixed})

    def merged(self) -> Transferred:
        """The same function without adapters: a copy with these in the weights, or this model if it has none."""
        if self.only not in ADAPTERS:
            return self
        plain = copy.deepcopy(self)
        merge(plain.backbone)
        plain.only = ""
        plain.hold(plain.held)
        return plain

    def fixed_digest(self) -> str:
        """Hash of `fixed_state`, bit for bit: equal before and after training, by contract."""
        digest = hashlib.blake2b(digest_size=16)
        for name, tensor in sorted(self.fixed_state().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def parts(self) -> list[Part]:
        """What trains, from the image to the head; what is held for the time being counts as training."""
        moving = {_place(tensor) for tensor in self.moving_state().values()}
        named = [*self.backbone.segments(), ("head", self.head)]
        return [_part(name, module, moving) for name, module in named]

    def depths(self) -> dict[str, int]:
        """How many cuts lie above each parameter of the backbone, by its name here."""
        cuts = self.backbone.segments()
        depth = {id(p): len(cuts) - 1 - at for at, (_, module) in enumerate(cuts) for p in module.parameters()}
        return {name: depth[id(p)] for name, p in self.named_parameters() if id(p) in depth}


def _part(name: str, module: nn.Module, moving: set[tuple[int, tuple[int, ...]]]) -> Part:
    parameters, buffers = (
        {_place(t): t.numel() for t in tensors if t.numel()} for tensors in (module.parameters(), module.buffers())
    )
    training, changing = (sum(n for at, n in found.items() if at in moving) for found in (parameters, buffers))
    return Part(name, sum(parameters.values()), training, sum(buffers.values()), changing)


def _place(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def _places(module: nn.Module) -> set[tuple[int, tuple[int, ...]]]:
    return {_place(tensor) for tensor in (*module.parameters(), *module.buffers()) if tensor.numel()}
