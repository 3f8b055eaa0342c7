"""Low-rank adapters (LoRA, DoRA): a network adapts by a few numbers beside each weight, and none of its own move."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone
from headstart.errors import MissingExtraError

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
RANK = 8
"""r: columns of B and rows of A."""
ALPHA = 16
"""α: an adapter counts α/r times."""


def peft_at_hand() -> bool:
    """Whether `peft`, which makes the adapters, is installed."""
    return find_spec("peft") is not None


def no_peft() -> MissingExtraError:
    """What is said where it is not."""
    return MissingExtraError(
        "Low-rank adapters need peft, which is not installed.", "Run: pip install 'headstart[lora]'."
    )


def adapt(backbone: Backbone, *, rank: int = RANK, alpha: int = ALPHA, decomposed: bool = False) -> None:
    """Put a low-rank adapter beside every linear layer and every dense or 1×1 convolution that runs, in place.

    A layer y = W x + b becomes y = W x + b + (α/r) B A x, with A: (r, d_in) random and B: (d_out, r) zero, so
    that the network is at first what it was. Of a convolution, A is one with the same kernel, stride and padding
    and r channels, B one of 1×1. Random numbers come from torch's generator.

    If it is `decomposed` (DoRA), it becomes y = m (W + (α/r) B A) x / ‖W + (α/r) B A‖ + b. The norm is that of the
    weights of each output, and takes no gradient; m: (d_out) is what it was at first, and trains with A and B.

    Left as they are, and so frozen: grouped and depthwise convolutions, where B A would have no fewer numbers than
    W; dilated ones and those that transform their weight before they use it, which `peft` cannot merge;
    layers whose weight is read but which are never called; and, `decomposed`, those that have an output whose weights
    are all zero, which have no direction. Where that leaves none, only a head can train.

    Parameters
    ----------
    rank : r, the same for all layers, narrower ones too.
    alpha : α.
    decomposed : whether magnitudes train beside directions.

    Raises
    ------
    MissingExtraError : `peft` is not installed.

    References
    ----------
    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, https://arxiv.org/abs/2106.09685
    Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", ICML 2024, https://arxiv.org/abs/2402.09353

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> backbone = load_random("resnet18", size=32, seed=0)
    >>> backbone.cut_off_top()
    >>> adapt(backbone)
    >>> coverage(backbone)
    'Low-rank adapters (rank 8) stand beside 20 of 20 linear layers and convolutions.'
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise no_peft() from error
    layers = {
        name: module for name, module in _adaptable(backbone).items() if not decomposed or _has_directions(module)
    }
    if not layers:
        return
    # peft compares a list with the ends of names; a pattern names these layers and no others.
    pattern = "|".join(re.escape(name) for name in layers)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=pattern, use_dora=decomposed)
    inject_adapter_in_model(config, backbone.network)
    # What is remembered of it would be copied and kept with the network.
    del backbone.network.peft_config
    adapted = adapters(backbone)
    backbone.replace({module.base_layer: module for module in adapted})
    for module in adapted:
        if decomposed and isinstance(module.base_layer, nn.Conv2d):
            # peft's own takes a view that weights of memory format channels-last do not have.
            module.lora_magnitude_vector["default"].get_lora_weight = _product


def merge(backbone: Backbone) -> None:
    """Put what every adapter makes of the weight that it stands beside in its place, and take it away, in place.

    That is W + (α/r) B A; where it is decomposed, the same with weights of length m for each output.
    """
    adapted = adapters(backbone)
    for module in adapted:
        module.merge()
    backbone.replace({module: module.base_layer for module in adapted})


def adapters(backbone: Backbone) -> list[Any]:
    """The layers of `peft` that hold an adapted layer (`base_layer`) with its A, B and, where it is decomposed, m.

    They are called `lora_A`, `lora_B` and `lora_magnitude_vector`; the last one is empty where it is not.
    """
    from peft.tuners.lora import LoraLayer

    return [module for module in backbone.network.modules() if isinstance(module, LoraLayer)]


def coverage(backbone: Backbone) -> str:
    """How many layers have an adapter, and which have none, in a sentence."""
    adapted = adapters(backbone)
    if not adapted:
        return "No layer of this network takes a low-rank adapter: only the head trains."
    own = {id(part) for module in adapted for part in module.modules()}
    bare = [m for m in backbone.network.modules() if isinstance(m, LINEAR) and id(m) not in own]
    grouped = sum(getattr(m, "groups", 1) > 1 for m in bare)
    rank = adapted[0].r["default"]
    places = f"{len(adapted)} of {len(adapted) + len(bare)} linear layers and convolutions"
    kinds = ((grouped, "grouped or depthwise"), (len(bare) - grouped, "other"))
    left = " and ".join(f"{n} {kind}" for n, kind in kinds if n)
    what = "Weight-decomposed" if adapted[0].lora_magnitude_vector else "Low-rank"
    return f"{what} adapters (rank {rank}) stand beside {places}" + (f"; {left} ones stay frozen." if left else ".")


def _product(*, lora_A: nn.Conv2d, lora_B: nn.Conv2d, adapter_name: str) -> Tensor:
    """B A of a convolution: (d_out, d_in · height · width)."""
    return lora_B.weight.flatten(1) @ lora_A.weight.flatten(1)


def _has_directions(layer: nn.Module) -> bool:
    """Whether the weights of every output have a length; one whose square is nothing in float32 is none."""
    norms = layer.get_parameter("weight").detach().flatten(1).double().norm(dim=1)
    return bool((norms.square() > torch.finfo(torch.float32).tiny).all())


def _adaptable(backbone: Backbone) -> dict[str, nn.Module]:
    """By name in the network, the layers that run and whose adapters can be merged."""
    from timm.layers.conv2d_same import Conv2dSame

    # A layer of another type may normalise its weight first: W + (α/r) B A would not be what was trained.
    plain = [
        (name, module)
        for name, module in backbone.network.named_modules()
        if type(module) is nn.Linear
        or (
            type(module) in (nn.Conv2d, Conv2dSame)
            and (module.groups, module.dilation, module.padding_mode) == (1, (1, 1), "zeros")
        )
    ]
    called: set[int] = set()
    handles = [m.register_forward_pre_hook(lambda m, _: called.add(id(m))) for _, m in plain]
    was_training, size = backbone.training, backbone.preprocessing.size
    with torch.no_grad():
        backbone.eval()(torch.zeros(1, 3, size, size, device=next(backbone.parameters()).device))
    backbone.train(was_training)
    for handle in handles:
        handle.remove()
    return {name: module for name, module in plain if id(module) in called}
