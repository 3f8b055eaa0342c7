"""What an engine is, and those that torch runs: the reference, and bfloat16 on an accelerator."""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import torch

from headstart.backbones.backbone import Backbone

BATCH = 16

Pooled = dict[str, np.ndarray]


class Engine(Protocol):
    """Runs batches; `name` (engine and precision) is part of the key under which features are kept."""

    name: str

    def __call__(self, pixels: np.ndarray) -> Pooled:
        """uint8 (n, size, size, 3) → float32 (n, d) for each cut."""
        ...


class EagerEngine:
    """The network as it stands, in float32: the reference, which always works."""

    def __init__(self, backbone: Backbone, device: torch.device) -> None:
        self.name = f"eager-f32-{device.type}"
        self._backbone = backbone.to(device).eval()
        self._device = device

    def __call__(self, pixels: np.ndarray) -> Pooled:
        """As `Engine` says."""
        with torch.inference_mode():
            pooled = self._backbone(self._backbone.preprocessing.tensor(pixels, device=self._device))
        return {cut: z.cpu().numpy() for cut, z in zip(self._backbone.cuts, pooled, strict=True)}


class HalfEngine:
    """A copy of the network in bfloat16 with channels last, as accelerators like it.

    Parameters
    ----------
    compiled : compile the blocks when they first run.
    """

    def __init__(self, backbone: Backbone, device: torch.device, *, compiled: bool = False) -> None:
        self.name = f"torch-bf16{'-compiled' * compiled}-{device.type}"
        network = copy.deepcopy(backbone).to(device, torch.bfloat16).eval()
        self._backbone = network.to(memory_format=torch.channels_last)
        self._device = device
        if compiled:
            self._backbone.compile_blocks()

    def __call__(self, pixels: np.ndarray) -> Pooled:
        """As `Engine` says."""
        with torch.inference_mode():
            x = self._backbone.preprocessing.tensor(pixels, device=self._device)
            pooled = self._backbone(x.to(torch.bfloat16, memory_format=torch.channels_last))
        return {cut: z.float().cpu().numpy() for cut, z in zip(self._backbone.cuts, pooled, strict=True)}


def run(engine: Engine, sample: np.ndarray) -> Pooled:
    """Features of some images, a batch at a time."""
    parts = [engine(sample[at : at + BATCH]) for at in range(0, len(sample), BATCH)]
    return {cut: np.concatenate([part[cut] for part in parts]) for cut in parts[0]}
