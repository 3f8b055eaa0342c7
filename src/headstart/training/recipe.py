"""How something is trained, as pure functions of the amount of data and of the budget."""

from __future__ import annotations

from collections.abc import Sequence
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
    patience : epochs in a row with a validation loss shown to be above the lowest, after which training stops.
    source_statistics : batch norms keep the statistics that the source gave them.
    augmentation : transformations of the training images.
    views : so many views of each image are gone through in turn; 0 means a new one every epoch.
    layer_decay : factor of the network's learning rate from each block to the one below it.
    gradual : blocks are unfrozen from the top down over the first half of the epochs.
    mixup : parameter of the Beta distribution that pairs of images are mixed by; 0 mixes none.
    last : the last epoch is handed back, whatever the validation loss says, and all of them are done.
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
    layer_decay: float = 1.0
    gradual: bool = False
    mixup: float = 0.0
    last: bool = False

    @property
    def rung(self) -> int:
        """The epoch at which losers are dropped: half of them; 0 where that is too early to tell."""
        early = self.gradual or self.epochs < 2 * EARLIEST_RUNG
        return 0 if early else self.epochs // 2


EARLIEST_RUNG = 4
"""Epochs before which the disturbance of the first ones still decides which training looks better."""
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
    patience = max(3, epochs // 2)
    return Recipe(
        epochs=epochs, batch_size=batch_size(n), lr=5e-4, lr_head=5e-4, patience=patience, source_statistics=True
    )


def by_layer(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning at rates that fall by a quarter from block to block: between freezing and fine-tuning.

    Source: discriminative fine-tuning (Howard & Ruder 2018, https://arxiv.org/abs/1801.06146).
    """
    return replace(finetune(n, epochs=epochs), layer_decay=0.75)


def gradual(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning of the top first, then of one block after the other (Howard & Ruder 2018).

    Training may stop only after all blocks have had their turn.
    """
    plain = finetune(n, epochs=epochs)
    return replace(plain, gradual=True, patience=plain.patience + epochs // 2)


def towards_source(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning without decay towards zero, for a penalty that pulls towards the source's weights."""
    return replace(finetune(n, epochs=epochs), weight_decay=0.0)


def mixed(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning on mixed pairs of images (Zhang et al. 2018, https://arxiv.org/abs/1710.09412)."""
    return replace(finetune(n, epochs=epochs), mixup=0.2)


def unsmoothed(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning on labels as they are: what label smoothing brings is the difference to `finetune`.

    Source: label smoothing, Szegedy et al. 2016, https://arxiv.org/abs/1512.00567.
    """
    return replace(finetune(n, epochs=epochs), label_smoothing=0.0)


def adapting(n: int, *, epochs: int) -> Recipe:
    """Fine-tuning towards a domain without labels: no loss says which epoch is best there, so that the last one is.

    What images of the source say gets worse where a model gives up what holds on the source alone, and better
    where it does not adapt at all (decision 0038).
    """
    return replace(finetune(n, epochs=epochs), patience=epochs + 1, last=True)


def source_free(n: int, *, epochs: int) -> Recipe:
    """Training on images of the target alone, whose labels are the model's own and are not smoothed.

    Batch norms keep the source's statistics, which the head that does not train was fitted to: statistics of small
    batches move slowly, and what is trained by a batch's own would be judged by others.
    """
    return replace(adapting(n, epochs=epochs), label_smoothing=0.0)


def surrogate(n: int, *, epochs: int, continued: bool = False) -> Recipe:
    """Training on a surrogate task: to its last epoch, since its loss says little of the task that is meant.

    Parameters
    ----------
    continued : from weights that have learned something, at a third of the rate.
    """
    rate = 3e-4 if continued else 1e-3
    batch = 64 if n >= 256 else 32
    return Recipe(
        epochs=epochs,
        batch_size=batch,
        lr=rate,
        lr_head=rate,
        weight_decay=0.05,
        label_smoothing=0.0,
        patience=epochs + 1,
        augmentation=None,
        last=True,
    )


def transplanted(*, epochs: int, batch_size: int, lr: float) -> Recipe:
    """The same for every network that is compared with others by how many layers it was given.

    All images as they are, and to the last epoch: what the frozen part makes of them is then computed once, and no
    network has taken more steps than another.
    """
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        lr_head=lr,
        weight_decay=0.05,
        label_smoothing=0.0,
        patience=epochs + 1,
        augmentation=None,
        last=True,
    )


def low_rank(n: int, *, epochs: int) -> Recipe:
    """Training of low-rank adapters, at twice the rate of what is already learned.

    Source: Hu et al. 2022, https://arxiv.org/abs/2106.09685; the rate was chosen on the validation parts of
    three sets of small images: 6e-3 was better on two of them and diverged on the third (decision 0027).
    """
    return replace(finetune(n, epochs=epochs), lr=1e-3)


def decomposed(n: int, *, epochs: int) -> Recipe:
    """Training of low-rank adapters and of magnitudes, which are no weights that should decay towards zero.

    Nor do A, B and the head here, unlike those of `low_rank`: decay goes by the number of dimensions, and magnitudes of
    convolutions have four.

    Source: Liu et al. 2024, https://arxiv.org/abs/2402.09353; the rate is that of `low_rank`.
    """
    return replace(low_rank(n, epochs=epochs), weight_decay=0.0)


def held_cut(cuts: Sequence[str], epoch: int, *, epochs: int) -> str:
    """The cut below which gradual unfreezing still holds the network at an epoch (from 1); ``""`` holds nothing.

    >>> [held_cut(("stem", "a", "b", "top"), epoch, epochs=8) for epoch in (1, 2, 3, 4, 5)]
    ['b', 'a', 'stem', '', '']
    """
    inner = [cut for cut in cuts if cut not in ("top", "logits")]
    turns = max(1, epochs // 2)
    below = len(inner) * (turns - epoch) // max(1, turns - 1) if turns > 1 else 0
    return inner[min(below, len(inner)) - 1] if below > 0 else ""


def scratch(n: int, *, epochs: int) -> Recipe:
    """Traditional learning: a higher rate, a longer patience."""
    return Recipe(epochs=epochs, batch_size=batch_size(n), lr=3e-3, lr_head=3e-3, weight_decay=0.05, patience=8)
