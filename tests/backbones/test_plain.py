"""Plain networks are backbones like any other."""

from __future__ import annotations

import pytest
import timm
import torch

from headstart.backbones import load, load_random, resolve
from headstart.errors import BackboneError

CUTS = {
    "plain_alexnet": [*(f"layers.conv{n}" for n in range(1, 6)), "layers.fc6", "layers.fc7"],
    "plain_vgg": [*(f"layers.conv{n}" for n in range(1, 7)), "layers.fc7", "layers.fc8"],
}


@pytest.mark.parametrize("architecture", CUTS)
@pytest.mark.parametrize("size", [32, 48, 64])
def test_every_layer_is_a_cut_at_every_size(architecture: str, size: int) -> None:
    backbone = load(f"random/{architecture}", size=size)
    assert backbone.cuts == (*CUTS[architecture], "top", "logits")
    x = torch.rand(2, 3, size, size)
    whole = backbone.network(x)
    for cut in CUTS[architecture]:
        found = backbone.upper(cut)(backbone.lower(cut)(x))
        assert torch.equal(backbone.network.get_classifier()(found), whole)


@pytest.mark.parametrize("architecture", CUTS)
def test_activations_neither_die_nor_grow_with_depth(architecture: str) -> None:
    backbone = load_random(architecture, size=32, seed=0).eval()
    x = torch.randn(64, 3, 32, 32)
    with torch.no_grad():
        spreads = [backbone.lower(cut)(x).std().item() for cut in CUTS[architecture]]
    assert min(spreads) > 0.1 and max(spreads) < 10


def test_they_are_found_by_name_and_have_no_pretrained_weights() -> None:
    assert resolve(["random/plain_*"]) == ["random/plain_alexnet", "random/plain_vgg"]
    with pytest.raises(RuntimeError, match="no pretrained weights"):
        timm.create_model("plain_alexnet", pretrained=True)
    with pytest.raises(TypeError, match="img_size"):
        timm.create_model("plain_alexnet", img_size=32)
    with pytest.raises(BackboneError):
        load("timm/plain_alexnet", size=32)
