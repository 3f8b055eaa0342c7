"""Engines that run a backbone: pixels in, pooled features at every cut out.

The eager engine is the reference and always works. The OpenVINO engine runs the same network as one
compiled graph in float32; a gate compares the two on the first images, without labels, and keeps
the reference where they differ.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone, Preprocessing

TOLERANCE = 1e-3
"""Largest relative error per cut (Frobenius norm) at which the fast engine is believed."""


class Engine(Protocol):
    """Runs batches; `name` (engine and precision) is part of the key under which features are kept."""

    name: str

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """uint8 (n, size, size, 3) → float32 (n, d) for each cut."""
        ...


class PixelModel(nn.Module):
    """A module that takes uint8 pixels: what is exported, so that a graph needs no other preprocessing."""

    def __init__(self, module: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.module = module
        self._preprocessing = preprocessing

    def forward(self, pixels: Tensor) -> Any:
        """uint8 (n, size, size, 3) → what the module gives for the normalised images."""
        return self.module(self._preprocessing.tensor(pixels))


class EagerEngine:
    """The network as it stands, in float32."""

    def __init__(self, backbone: Backbone, device: torch.device) -> None:
        self.name = f"eager-f32-{device.type}"
        self._backbone = backbone.to(device).eval()
        self._device = device

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """As `Engine` says."""
        with torch.inference_mode():
            x = torch.from_numpy(pixels).to(self._device)
            pooled = self._backbone(self._backbone.preprocessing.tensor(x))
        return {cut: z.cpu().numpy() for cut, z in zip(self._backbone.cuts, pooled, strict=True)}


class OpenVINOEngine:
    """The network as one compiled graph whose outputs are all cuts, in float32 on the CPU."""

    name = "openvino-f32"

    def __init__(self, backbone: Backbone, *, cache: Path) -> None:
        self._cuts = backbone.cuts
        self._compiled = compile_graph(to_graph(backbone, backbone.preprocessing), cache=cache)

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """As `Engine` says."""
        out = self._compiled(pixels)
        return {cut: np.array(out[i]) for i, cut in enumerate(self._cuts)}


def to_graph(module: nn.Module, preprocessing: Preprocessing) -> Any:
    """An OpenVINO graph of `module` on uint8 pixels, dynamic in the batch."""
    import openvino

    size = preprocessing.size
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    model = PixelModel(module, preprocessing).eval()
    with torch.no_grad(), warnings.catch_warnings():
        # The converter traces; that mean, std and sizes become constants is what is wanted here.
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(model, example_input=example)
    graph.reshape({graph.inputs[0]: [-1, size, size, 3]})
    return graph


def compile_graph(graph: Any, *, cache: Path | None = None) -> Any:
    """Compile for the CPU in float32: a bf16 hint would move features by up to some per cent."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if cache is not None:
        config["CACHE_DIR"] = str(cache)
    return openvino.Core().compile_model(graph, "CPU", config)


@dataclass(frozen=True)
class Opened:
    """An engine, and a sentence where the fast one was refused."""

    engine: Engine
    note: str = ""


def open_engine(backbone: Backbone, sample: np.ndarray, *, device: torch.device, cache: Path) -> Opened:
    """The fastest engine that gives the reference's features on `sample` (a few images, uint8)."""
    reference = EagerEngine(backbone, device)
    if device.type != "cpu":
        return Opened(reference)
    try:
        fast = OpenVINOEngine(backbone, cache=cache / "engines")
    except Exception as error:  # the converter's failures have no base class of their own
        said = (str(error) or type(error).__name__).splitlines()[0]
        return Opened(reference, f"{backbone.name}: OpenVINO refused it ({said}); torch runs it.")
    worst = relative_error(fast(sample), reference(sample))
    if worst > TOLERANCE:
        return Opened(reference, f"{backbone.name}: OpenVINO's features are off by {worst:.1e}; torch runs it.")
    return Opened(fast)


def relative_error(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Max over cuts of ‖got − expected‖ / ‖expected‖; infinite where a feature is not finite."""
    errors = [np.linalg.norm(got[cut] - z) / max(float(np.linalg.norm(z)), 1e-12) for cut, z in expected.items()]
    worst = float(np.max(errors))
    return worst if np.isfinite(worst) else float("inf")
