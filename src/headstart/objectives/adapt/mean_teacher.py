"""Mean teacher: the model agrees with an average of its own past on the target's images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.objectives.adapt.adapting import Both


class MeanTeacher(nn.Module):
    """Mean over images of [max q ≥ τ] (1/k) Σ_c (p_c − q_c)², p = softmax(g_t) of a view, q the teacher's.

    The teacher's weights are θ′ ← α θ′ + (1 − α) θ after every step, θ the model's. It sees the images as they are, in
    evaluation mode and without a gradient; the model sees a view. What is handed back is the model: as the rate falls
    to zero, the two meet.

    The paper draws a view for the teacher too, and adds a term that balances classes on some of its data, left
    out here.

    Parameters
    ----------
    model : before it is trained; the teacher begins as its copy.
    decay : α.
    confidence : τ.

    Source: French et al. 2018, https://arxiv.org/abs/1706.05208, after Tarvainen & Valpola 2017,
    https://arxiv.org/abs/1703.01780; α and τ are those of the former.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> model = Transferred(load_random("test_efficientnet", size=32, seed=0), nn.Linear(256, 2))
    >>> teaching = MeanTeacher(model, decay=0.75)
    >>> with torch.no_grad():
    ...     _ = model.head.bias.copy_(torch.tensor([4.0, 8.0])), teaching.teacher.head.bias.zero_()
    >>> teaching.follow(model)
    >>> teaching.teacher.head.bias.tolist()
    [1.0, 2.0]
    """

    name = "mean_teacher"

    def __init__(self, model: Transferred, *, decay: float = 0.99, confidence: float = 0.968) -> None:
        super().__init__()
        self.teacher = model.twin().eval().requires_grad_(False)
        self.decay, self.confidence = decay, confidence

    def forward(self, model: Transferred, both: Both) -> Tensor:
        """How far the model is from the teacher, where that is sure."""
        with torch.no_grad():
            q: Tensor = self.teacher(both.target.plain).softmax(1)
        sure = (q.max(1).values >= self.confidence).to(q.dtype)
        return (sure * (both.g_t.softmax(1) - q).square().mean(1)).mean()

    @torch.no_grad()
    def follow(self, model: Transferred) -> None:
        """Move the teacher towards the model, buffers that training moves included."""
        own = self.teacher.state_dict()
        for name, tensor in model.moving_state().items():
            if tensor.is_floating_point():
                own[name].mul_(self.decay).add_(tensor, alpha=1 - self.decay)
            else:
                own[name].copy_(tensor)
