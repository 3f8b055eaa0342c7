"""A backbone: a plain torch module with its preprocessing, ordered cuts and fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones.cuts import Network, Segment, find_segments
from headstart.errors import BackboneError


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input: a square of `size` pixels, (value/255 − mean)/std."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def tensor(self, pixels: np.ndarray | Tensor, *, device: torch.device | None = None) -> Tensor:
        """uint8 (n, size, size, 3) → float32 (n, 3, size, size), normalised; on `device`, by default where it is."""
        x = torch.as_tensor(pixels)
        return self.normalised((x if device is None else x.to(device)).permute(0, 3, 1, 2).float() / 255)

    def normalised(self, x: Tensor) -> Tensor:
        """Values between 0 and 1, (n, 3, h, w), as the network takes them."""
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (x - mean) / std


class Backbone(nn.Module):
    """A network that can be cut at named places, from the stem to the pooled top.

    Parameters
    ----------
    network : a timm model; its state dict stays under its own names.
    name : how a user names this backbone, e.g. ``packaged/efficientnet_lite0``.
    architecture : timm's name of the architecture.
    preprocessing : size, mean and standard deviation of its input.

    Attributes
    ----------
    cuts : ``stem``, blocks under timm's names, ``top`` (pooled, before the classifier) and, where
        the network has a classifier, ``logits``.
    widths : number of pooled features at each cut.

    Raises
    ------
    BackboneError : the network does not run at this size.
    """

    def __init__(self, network: Network, name: str, *, architecture: str, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network: Network = network
        self.name = name
        self.architecture = architecture
        self.preprocessing = preprocessing
        size = preprocessing.size
        example = torch.linspace(-1, 1, 3 * size * size).view(1, 3, size, size)
        try:
            self._segments = find_segments(network, example)
            self._channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
            has_logits = isinstance(network.get_classifier(), nn.Linear)
            self.cuts = (*(s.cut for s in self._segments), *(("logits",) if has_logits else ()))
            self.widths = {cut: z.shape[1] for cut, z in self._measure(example).items()}
        except (RuntimeError, AssertionError, ValueError, AttributeError) as error:
            said = (str(error) or type(error).__name__).splitlines()[0]
            fact = f"{name} does not run on images of {size} × {size} pixels: {said}"
            raise BackboneError(fact, "Try another --size; 224 is what most networks were trained on.") from error

    def _measure(self, example: Tensor) -> dict[str, Tensor]:
        was_training = self.training
        self.eval()
        with torch.no_grad():
            pooled = self(example)
        self.train(was_training)
        return dict(zip(self.cuts, pooled, strict=True))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pooled features at every cut, in order: (n, 3, h, w) → one (n, d) per cut.

        Pooling is the mean over positions (or tokens); ``top`` is the network's own pooling.
        """
        pooled = []
        for segment in self._segments:
            x = segment.module(x)
            pooled.append(self.pool(x))
        if self.cuts[-1] == "logits":
            pooled.append(self.network.get_classifier()(x))
        return tuple(pooled)

    @property
    def channels_last(self) -> bool:
        """Whether activations are (n, h, w, c) and not (n, c, h, w)."""
        return bool(self._channels_last)

    def pool(self, y: Tensor) -> Tensor:
        """Mean over positions of an activation: (n, c, h, w), (n, h, w, c), (n, tokens, c) → (n, c)."""
        if y.dim() == 4:
            return y.mean((1, 2)) if self._channels_last else y.mean((2, 3))
        return y.mean(1) if y.dim() == 3 else y

    def lower(self, cut: str) -> nn.Sequential:
        """What is kept or frozen: image → activation at `cut` (parameters shared with this one)."""
        return nn.Sequential(*(s.module for s in self._segments[: self._place(cut) + 1]))

    def upper(self, cut: str) -> nn.Sequential:
        """What is retrained: activation at `cut` → features at ``top``; ``""`` means the whole."""
        start = self._place(cut) + 1 if cut else 0
        return nn.Sequential(*(s.module for s in self._segments[start:]))

    def before(self, cut: str) -> str:
        """The cut before this one; ``""`` for the first."""
        place = self._place(cut)
        return self._segments[place - 1].cut if place else ""

    def segments(self) -> tuple[tuple[str, nn.Module], ...]:
        """Every cut but the logits with what runs between the one before and it."""
        return tuple((segment.cut, segment.module) for segment in self._segments)

    def compile_blocks(self) -> None:
        """Have every segment but a stem, which no compiler follows, compiled when it first runs, in place."""
        for segment in self._segments:
            if segment.cut != "stem":
                segment.module.compile()

    def classifier(self) -> nn.Linear | None:
        """The source's own, (n, d) features at ``top`` → logits; None where there is none, or no more."""
        found: nn.Linear | None = self.network.get_classifier() if "logits" in self.cuts else None
        return found

    def cut_off_top(self) -> None:
        """Remove the source's classifier: from here on the last cut is ``top``."""
        self.network.reset_classifier(0)
        self.cuts = tuple(cut for cut in self.cuts if cut != "logits")
        self.widths.pop("logits", None)

    def replace(self, others: Mapping[nn.Module, nn.Module]) -> None:
        """Put other modules in the place of some, wherever these are held: in the network and between its cuts."""
        for parent in list(nn.ModuleList([self.network, *(s.module for s in self._segments)]).modules()):
            for name, child in list(parent.named_children()):
                # What wraps a module holds it, and goes on doing so.
                if child in others and others[child] is not parent:
                    setattr(parent, name, others[child])
        self._segments = tuple(Segment(s.cut, others.get(s.module, s.module)) for s in self._segments)

    def _place(self, cut: str) -> int:
        names = [s.cut for s in self._segments]
        if cut not in names:
            raise BackboneError(f"{self.name} has no cut {cut!r}.", f"Its cuts: {', '.join(names)}.")
        return names.index(cut)

    def fingerprint(self, cut: str = "top") -> str:
        """Hash of everything that changes the features at `cut`: architecture, size, weights up to it."""
        return self.fingerprints()[cut if cut == "logits" else self._segments[self._place(cut)].cut]

    def fingerprints(self) -> dict[str, str]:
        """`fingerprint` of every cut: networks that share their lower part share those of its cuts."""
        classifier = self.network.get_classifier()
        # Some heads hold the classifier beside the pooling; it does not change what is pooled.
        outside = _identities(classifier)
        parts = {
            segment.cut: [t for t in _tensors(segment.module) if id(t) not in outside] for segment in self._segments
        }
        if "logits" in self.cuts:
            parts["logits"] = _tensors(classifier)
        digest = hashlib.blake2b(f"{self.architecture}|{self.preprocessing}".encode(), digest_size=16)
        found: dict[str, str] = {}
        with ThreadPoolExecutor() as pool:
            for cut, own in zip(parts, pool.map(_hash, parts.values()), strict=True):
                digest.update(own)
                found[cut] = digest.hexdigest()
        return found


def _hash(tensors: list[Tensor]) -> bytes:
    digest = hashlib.blake2b(str(len(tensors)).encode(), digest_size=32)
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _identities(classifier: nn.Module | tuple[nn.Module, ...]) -> set[int]:
    parts = classifier if isinstance(classifier, tuple) else (classifier,)
    return {id(tensor) for part in parts for tensor in part.parameters()}
