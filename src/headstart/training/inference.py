"""Running a model over images without training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from headstart.data.batches import Stream
from headstart.data.domains import UnlabelledBatches
from headstart.evidence import fit_temperature, losses, softmax


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model makes of some labelled images.

    Attributes
    ----------
    losses : cross-entropy of each after the best temperature, ``(n,)``.
    accuracy : share that is named rightly.
    right : of each, as its loss counts, whether it is, ``(n,)``, with the accuracy as its mean; None if not told.
    """

    losses: np.ndarray
    accuracy: float
    right: np.ndarray | None = None

    @property
    def loss(self) -> float:
        """The mean cross-entropy."""
        return float(self.losses.mean())


def predict_logits(model: nn.Module, batches: Stream | UnlabelledBatches) -> np.ndarray:
    """(n, k) float32 logits of all images of `batches`, in order; leaves the model's mode alone."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [model(batch.x).float().cpu().numpy() for batch in batches.in_order()]
    model.train(was_training)
    return np.concatenate(parts)


def score(model: nn.Module, batches: Stream) -> Scores:
    """Losses and accuracy of `model` on `batches`.

    The loss is taken at the temperature that fits these images best, as the model will be calibrated
    before it is used. Without that, a head fitted to its own calibration would look better than
    a network trained with smoothed labels, whatever either of them has learned.
    """
    logits = predict_logits(model, batches)
    shares = softmax(logits / fit_temperature(logits, batches.y))
    right = logits.argmax(1) == batches.y
    return Scores(losses(batches.y, shares), float(right.mean()), right.astype(np.float64))


def score_tasks(model: nn.Module, batches: Stream, sizes: Sequence[int]) -> Scores:
    """As `score`, of m tasks whose logits stand side by side, each at a temperature of its own.

    An image's loss is Σ_t n/(m n_t) ℓ_it over the tasks t that it has a label of, such that the mean over the n images
    is the mean over tasks of each one's mean loss over its n_t labelled images. The accuracy is the mean over tasks.

    Parameters
    ----------
    batches : its `y` is ``(n, m)``, negative where an image has no label; every task needs one label at least.
    sizes : classes of each task.
    """
    logits, y = predict_logits(model, batches), batches.y
    total, right = np.zeros(len(y)), np.zeros(len(y))
    for t, own in enumerate(np.split(logits, np.cumsum(sizes)[:-1], axis=1)):
        there = y[:, t] >= 0
        known, truth = own[there], y[there, t]
        shares = softmax(known / fit_temperature(known, truth))
        counts = len(y) / (len(sizes) * len(truth))
        total[there] += losses(truth, shares) * counts
        right[there] += (known.argmax(1) == truth) * counts
    return Scores(total, float(right.mean()), right)
