"""All images of the target as the model sees them now."""

from __future__ import annotations

import torch
from torch import Tensor

from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatches


def look(model: Transferred, images: UnlabelledBatches) -> tuple[Tensor, Tensor]:
    """Features (n, d) and logits (n, k) of all images as they are, in order; leaves the model's mode alone."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        z = torch.cat([model.features(batch.x) for batch in images.in_order()])
        g: Tensor = model.head(z)
    model.train(was_training)
    return z, g
