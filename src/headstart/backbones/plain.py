"""Plain small networks, layer upon layer, that timm does not have: convolutions, then two full layers, every one a cut.

They are timm models by their interface and are registered with it, so that ``random/plain_alexnet`` is a name like any
other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from timm.models import register_model
from torch import Tensor, nn

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIDE = 4
"""Of the map that the full layers read, whatever the size of the image."""


class Plain(nn.Module):
    """Convolutions with rectifiers, some followed by a maximum over 2 × 2, and full layers; neither norms nor dropout.

    Parameters
    ----------
    convolutions : of each (channels, kernel, stride, whether a maximum follows).
    full : widths of the full layers.
    num_classes : 0 leaves the classifier out.

    Weights are drawn as in He et al. 2015 (https://arxiv.org/abs/1502.01852), for rectifiers.
    """

    SMALLEST = "plain_alexnet"

    def __init__(
        self, convolutions: Sequence[tuple[int, int, int, bool]], full: Sequence[int], *, num_classes: int
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = 3
        for number, (channels, kernel, stride, halved) in enumerate(convolutions, 1):
            layer = [nn.Conv2d(before, channels, kernel, stride, kernel // 2), nn.ReLU()]
            layers[f"conv{number}"] = nn.Sequential(*layer, *([nn.MaxPool2d(2)] if halved else []))
            before = channels
        for number, width in enumerate(full, len(convolutions) + 1):
            first = number == len(convolutions) + 1
            flat = [nn.AdaptiveAvgPool2d(SIDE), nn.Flatten()] if first else []
            inward = before * SIDE**2 if first else before
            layers[f"fc{number}"] = nn.Sequential(*flat, nn.Linear(inward, width), nn.ReLU())
            before = width
        self.layers = nn.Sequential(layers)
        self.num_features = before
        self.feature_info = [{"module": f"layers.{name}"} for name in layers]
        self.pretrained_cfg = {"mean": MEAN, "std": STD, "classifier": "head"}
        for module in self.layers.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        self.reset_classifier(num_classes)

    @property
    def default_cfg(self) -> dict[str, Any]:
        """As timm's models have it."""
        return self.pretrained_cfg

    def forward_features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) → (n, d)."""
        found: Tensor = self.layers(x)
        return found

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """(n, d) → (n, k), or as it is."""
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) → (n, k)."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """Another last layer, or none."""
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()


@register_model
def plain_alexnet(pretrained: bool = False, *, num_classes: int = 1000, **told: Any) -> Plain:
    """Five convolutions and two full layers, as in Krizhevsky et al. 2012, for images of 32 to 64 pixels."""
    _check(pretrained, told)
    convolutions = [(16, 5, 2, True), (32, 3, 1, True), (64, 3, 1, False), (64, 3, 1, False), (48, 3, 1, False)]
    return Plain(convolutions, (128, 128), num_classes=num_classes)


@register_model
def plain_vgg(pretrained: bool = False, *, num_classes: int = 1000, **told: Any) -> Plain:
    """Six small convolutions and two full layers, as in Simonyan & Zisserman 2014, for images of 32 to 64 pixels."""
    _check(pretrained, told)
    convolutions = [(c, 3, 1, halved) for c in (16, 32, 64) for halved in (False, True)]
    return Plain(convolutions, (128, 128), num_classes=num_classes)


def _check(pretrained: bool, told: dict[str, Any]) -> None:
    unknown = set(told) - {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}
    if unknown:
        raise TypeError(f"plain networks take no {', '.join(sorted(unknown))}")
    if pretrained:
        raise RuntimeError("plain networks have no pretrained weights")


__all__ = ["Plain", "plain_alexnet", "plain_vgg"]
