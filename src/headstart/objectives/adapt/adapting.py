"""Learning a task from the source's labels, and something from the target's images beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.domains import Pair, Paired, UnlabelledBatch, UnlabelledBatches
from headstart.objectives.penalty import Penalty, Seen


@dataclass(frozen=True, eq=False)
class Both:
    """What the model made of a batch of each domain.

    Attributes
    ----------
    z_s, z_t : (n_s, d) and (n_t, d) features that the head reads.
    g_s, g_t : (n_s, k) and (n_t, k) logits.
    y_s : (n_s,) classes of the source's images.
    target : the target's batch.
    progress : 0 … 1 over the planned training.
    """

    z_s: Tensor
    z_t: Tensor
    g_s: Tensor
    g_t: Tensor
    y_s: Tensor
    target: UnlabelledBatch
    progress: float


class Alignment(Protocol):
    """A scalar to lower beside the source's loss, under a name of its own; as a module, it may hold what trains too."""

    name: str

    def __call__(self, model: Transferred, both: Both) -> Tensor:
        """The model and what it made of both batches → a scalar."""
        ...


@runtime_checkable
class Labels(Protocol):
    """An alignment that gives the target's images labels of its own before each epoch."""

    def label(self, model: Transferred, images: UnlabelledBatches) -> None:
        """Look at all images of the target."""
        ...


@runtime_checkable
class Follows(Protocol):
    """An alignment that follows the model from step to step."""

    def follow(self, model: Transferred) -> None:
        """Take in the model as a step left it."""
        ...


class Adapting(nn.Module):
    """Cross-entropy on the source's batch plus `weight` times an alignment of both batches, plus penalties.

        L = mean of −log softmax(g_s)[y_s] (labels smoothed) + w A(z_s, z_t, g_s, g_t)

    Source and target run through the model one after the other: no statistic of a batch mixes them, and without
    weight the source's loss is that of plain training.

    Parameters
    ----------
    alignment : A.
    weight : w.
    label_smoothing : share ε of the uniform distribution in the source's labels.
    class_weights : (k,) weight of each class, or None for equal weights.
    penalties : of the model on the source's batch, e.g. `L2SP` towards the model before it is trained.

    Examples
    --------
    >>> import torch
    >>> from headstart.backbones import load_random
    >>> from headstart.data.batches import Batch
    >>> from headstart.objectives.adapt.deep_coral import DeepCORAL
    >>> model = Transferred(load_random("test_efficientnet", size=32, seed=0), nn.Linear(256, 2)).eval()
    >>> x = torch.rand(4, 3, 32, 32)
    >>> pair = Pair(Batch(x, torch.tensor([0, 1, 0, 1])), UnlabelledBatch(x, x, torch.arange(4)))
    >>> losses = Adapting(DeepCORAL())(model, pair, 0.5)
    >>> list(losses), losses["deep_coral"].item()
    (['cross_entropy', 'deep_coral'], 0.0)
    """

    class_weights: Tensor | None

    def __init__(
        self,
        alignment: Alignment,
        *,
        weight: float = 1.0,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        self.alignment = alignment
        self.weight = weight
        self.label_smoothing = label_smoothing
        self.penalties = tuple(penalties)
        self.learning = nn.ModuleList(p for p in penalties if isinstance(p, nn.Module))
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, model: Transferred, batch: Pair, progress: float) -> dict[str, Tensor]:
        """A batch of each domain → the losses by their names."""
        source, target = batch.source, batch.target
        maps = model.maps(source.x) if self.penalties else {"top": model.features(source.x)}
        z_s, z_t = maps["top"], model.features(target.x)
        both = Both(z_s, z_t, model.head(z_s), model.head(z_t), source.y, target, progress)
        loss = F.cross_entropy(both.g_s, source.y, weight=self.class_weights, label_smoothing=self.label_smoothing)
        seen = Seen(source.x, source.y, maps)
        return {
            "cross_entropy": loss,
            self.alignment.name: self.weight * self.alignment(model, both),
            **{penalty.name: penalty(model, seen) for penalty in self.penalties},
        }

    def at_epoch(self, model: Transferred, batches: Paired) -> None:
        """Let the alignment look at the target's images, where it labels them."""
        if isinstance(self.alignment, Labels):
            self.alignment.label(model, batches.target)

    def after_step(self, model: Transferred) -> None:
        """Let the alignment follow the model, where it does."""
        if isinstance(self.alignment, Follows):
            self.alignment.follow(model)
