"""Which block a task asks to change: gradients beside the weights that they would move, before any training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.data.batches import Batch
from headstart.training.objective import Objective

GRADIENT_IMAGES = 256
"""Training images that the gradients are taken from, at most."""


def relative_gradients(
    model: Transferred, batches: Sequence[Batch], *, objective: Objective[Batch]
) -> dict[str, float]:
    """‖∇L‖ / ‖θ‖ of every segment of the backbone that has parameters θ which may train.

    L is the mean of the objective over all images of `batches`, taken in evaluation mode; ∇L its gradient
    by θ. Norms run over all parameters of a segment together. A segment whose parameters are all zero
    has none. Nothing of the model is changed.

    Parameters
    ----------
    model : a network with the head that training would start from.
    batches : what L is taken over; it does not depend on how images are batched.

    Returns
    -------
    The ratio by the segment's cut, from the image to the top.

    Source: the relative gradient norm of Lee et al. 2022, *Surgical fine-tuning improves adaptation to
    distribution shifts*, https://arxiv.org/abs/2210.11466, which scales learning rates by it (Auto-RGN).

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> from headstart.objectives import CrossEntropy
    >>> model = Transferred(load_random("test_resnet", size=32, seed=0), torch.nn.Linear(96, 2))
    >>> batch = Batch(torch.ones(2, 3, 32, 32), torch.tensor([0, 1]))
    >>> list(relative_gradients(model, [batch], objective=CrossEntropy()))
    ['stem', 'layer1', 'layer2', 'layer3', 'layer4']
    """
    segments = {
        cut: [parameter for parameter in module.parameters() if parameter.requires_grad]
        for cut, module in model.backbone.segments()
    }
    parameters = [parameter for found in segments.values() for parameter in found]
    was_training = model.training
    model.eval()
    try:
        gradients = dict(zip(parameters, _mean_gradient(model, parameters, batches, objective), strict=True))
    finally:
        model.train(was_training)
    norms = {cut: (_norm([gradients[p] for p in found]), _norm(found)) for cut, found in segments.items()}
    return {cut: gradient / weight for cut, (gradient, weight) in norms.items() if weight}


def _mean_gradient(
    model: Transferred, parameters: Sequence[Tensor], batches: Sequence[Batch], objective: Objective[Batch]
) -> list[Tensor]:
    total = [torch.zeros_like(parameter) for parameter in parameters]
    images = sum(len(batch.y) for batch in batches)
    for batch in batches:
        loss = torch.stack(list(objective(model, batch, 0.0).values())).sum() * (len(batch.y) / images)
        found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
        for sum_, gradient in zip(total, found, strict=True):
            if gradient is not None:
                sum_.add_(gradient)
    return total


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(torch.stack([t.detach().double().square().sum() for t in tensors]).sum().sqrt()) if tensors else 0.0
