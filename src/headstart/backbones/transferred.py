"""The model that transfer gives: a backbone kept below a cut, what is above it, and a new head."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone
from headstart.errors import InternalError


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

    The frozen part takes no gradient and behaves as in evaluation whatever `train()` says, so its
    batch-norm statistics do not move, and dropout and stochastic depth are off in it.

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
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.cuts = tuple(cuts)
        self.frozen = frozen
        self.source_statistics = source_statistics
        self._enters_at_cut = False
        if "logits" not in self.cuts:
            backbone.cut_off_top()
        for parameter in self.backbone.parameters():
            parameter.requires_grad_(True)
        for module in self._frozen_modules():
            module.requires_grad_(False)
        self.train(self.training)

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen == "top" and "logits" in self.cuts:
            return [self.backbone.lower("top"), self.backbone.network.get_classifier()]
        return [self.backbone.lower(self.frozen)] if self.frozen else []

    def train(self, mode: bool = True) -> Transferred:
        """Set what trains to training mode; the frozen part stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        for module in self.backbone.modules() if self.source_statistics else ():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
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

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) normalised images, or activations at the frozen cut → (n, k) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def trainable(self) -> list[nn.Parameter]:
        """The parameters that training may move."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def moving_state(self) -> dict[str, Tensor]:
        """Parameters and buffers outside the frozen part, by name: all that training may change."""
        frozen = {place for module in self._frozen_modules() for place in _places(module)}
        return {name: tensor for name, tensor in self.state_dict().items() if _place(tensor) not in frozen}

    def twin(self) -> Transferred:
        """A copy that trains apart; what is frozen is shared, not copied."""
        frozen = (t for module in self._frozen_modules() for t in (*module.parameters(), *module.buffers()))
        return copy.deepcopy(self, {id(tensor): tensor for tensor in frozen})

    def frozen_digest(self) -> str:
        """Hash of the frozen parameters and buffers: equal before and after training, by contract."""
        return state_digest(self._frozen_modules())


def _place(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def _places(module: nn.Module) -> set[tuple[int, tuple[int, ...]]]:
    return {_place(tensor) for tensor in module.state_dict().values() if tensor.numel()}


def state_digest(modules: Sequence[nn.Module]) -> str:
    """Hash over all parameters and buffers of `modules`, bit for bit."""
    digest = hashlib.blake2b(digest_size=16)
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
