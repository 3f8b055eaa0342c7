"""How something is trained, as pure functions of the amount of data and of the budget."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from headstart.data.batches import Augmentation


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training but the data and the seed.

    Attributes
    ----------
    epochs : planned; the learning rate follows them to zero.
    batch_size : images a step.
    lr, lr_head : peak learning rates of the network and of the head (AdamW).
    weight_decay : of weights with two or more dimensions.
    warmup : share of the steps with a rising learning rate.
    label_smoothing : share of the probability that is spread over all classes.
    patience : epochs without a lower validation loss after which training stops.
    source_statistics : batch norms keep the statistics that the source gave them.
    augmentation : transformations of the training images.
    views : so many views of each image are gone through in turn; 0 means a new one every epoch.
    """

    epochs: int
    batch_size: int
    lr: float
    lr_head: float
    weight_decay: float = 0.02
    warmup: float = 0.1
    label_smoothing: float = 0.1
    patience: int = 3
    source_statistics: bool = False
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    views: int = 0


VARIANTS = ((1.0, 1.0), (3.0, 1.0), (1 / 3, 1.0), (3.0, 5.0))
"""Factors of the learning rates and of the weight decay that are tried, the recipe's own first."""


def variants(recipe: Recipe, n: int) -> list[Recipe]:
    """The first `n` of `VARIANTS` of a recipe: trials that go through the same batches.

    >>> [round(one.lr, 6) for one in variants(finetune(600, epochs=8), 3)]
    [0.0005, 0.0015, 0.000167]
    """
    return [
        replace(recipe, lr=rate * recipe.lr, lr_head=rate * recipe.lr_head, weight_decay=decay * recipe.weight_decay)
        for rate, decay in VARIANTS[:n]
    ]


def batch_size(n: int) -> int:
    """32 images a step, 16 below 500 training images, so that an epoch still has some steps."""
    return 32 if n >= 500 else 16


def finetune(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning from a fitted head: a low rate for what is already learned.

    Source: head first, then fine-tune (Kumar et al. 2022, https://arxiv.org/abs/2202.10054).
    """
    return Recipe(epochs=epochs, batch_size=batch_size(n), lr=5e-4, lr_head=5e-4, source_statistics=True)


def scratch(n: int, *, epochs: int) -> Recipe:
    """Traditional learning: a higher rate, a longer patience."""
    return Recipe(epochs=epochs, batch_size=batch_size(n), lr=3e-3, lr_head=3e-3, weight_decay=0.05, patience=8)
