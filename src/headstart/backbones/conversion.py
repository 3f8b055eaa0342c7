"""Torch modules as OpenVINO graphs on pixels."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone, Preprocessing


class PixelModel(nn.Module):
    """A module that takes uint8 pixels: what is exported, so that a graph needs no other preprocessing."""

    def __init__(self, module: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.module = module
        self._preprocessing = preprocessing

    def forward(self, pixels: Tensor) -> Any:
        """uint8 (n, size, size, 3) → what the module gives for the normalised images."""
        return self.module(self._preprocessing.tensor(pixels))


def to_graph(module: nn.Module, preprocessing: Preprocessing) -> Any:
    """An OpenVINO graph of `module` on uint8 pixels, dynamic in the batch."""
    size = preprocessing.size
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    graph = _traced(PixelModel(module, preprocessing), example)
    graph.reshape({graph.inputs[0]: [-1, size, size, 3]})
    return graph


def _traced(module: nn.Module, example: Tensor) -> Any:
    import openvino

    with torch.no_grad(), warnings.catch_warnings():
        # That mean, std and sizes become constants is what is wanted here. The converter's own tracing runs everything
        # twice to check itself; a graph is compared with the network anyway, where it is chosen and where it is saved.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module.eval(), example, strict=False, check_trace=False)
        return openvino.convert_model(traced, example_input=example)


def network_graph(backbone: Backbone, cuts: Sequence[str] = ()) -> Any:
    """An OpenVINO graph from uint8 pixels to the pooled features at `cuts`, all of them by default.

    Converted once, for as long as no network with other weights is asked for: one that stays frozen is wanted for its
    features, for the bundle, and by the next run again.
    """
    import openvino

    global _converted
    fingerprints = backbone.fingerprints()
    wanted = {cut: fingerprints[cut] for cut in cuts or backbone.cuts}
    found = _converted
    if found is None or not wanted.items() <= found.fingerprints.items():
        found = _converted = None  # lest two are held while a third is made
        # A graph shares its constants with the module that it was made of, which must not be trained afterwards.
        module = copy.deepcopy(backbone)
        graph = to_graph(module, backbone.preprocessing)
        found = _converted = _Converted({cut: fingerprints[cut] for cut in backbone.cuts}, module, graph)
    graph, order = found.graph.clone(), list(found.fingerprints)
    features = [graph.outputs[order.index(cut)].node.input_value(0) for cut in wanted]
    return openvino.Model(features, graph.get_parameters())


@dataclass(frozen=True)
class _Converted:
    """A network's graph, and by cut the fingerprint of what it gives there."""

    fingerprints: Mapping[str, str]
    module: Backbone
    graph: Any


_converted: _Converted | None = None


def with_head(graph: Any, head: nn.Module, *, width: int) -> Any:
    """The graph of `network_graph` with a module on top, which takes all its features side by side.

    Parameters
    ----------
    head : (n, d) → (n, k).
    width : d, which a graph need not know of itself.
    """
    import openvino
    from openvino import opset13

    features = [output.node.input_value(0) for output in graph.outputs]
    joined = opset13.concat(features, 1).output(0) if len(features) > 1 else features[0]
    above = _traced(head, torch.zeros(2, width))
    above.reshape({above.inputs[0]: [-1, width]})
    for use in above.inputs[0].get_target_inputs():
        use.replace_source_output(joined)
    return openvino.Model([output.node.input_value(0) for output in above.outputs], graph.get_parameters())
