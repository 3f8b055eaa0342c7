"""Engines that run a backbone: pixels in, pooled features at every cut out.

The eager engine is the reference and always works. The OpenVINO engines run the same network as one
compiled graph, in float32 or, where the processor has it, in bfloat16. Which is preferred is measured; a
gate without labels compares its features of some images, and their nearest neighbours, with the reference's,
and where they differ the next is taken, at last the reference. What was compiled is kept on disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone, Preprocessing
from headstart.errors import StorageError
from headstart.records.arrays import read_arrays, write_arrays

TOLERANCE = {"bf16": 0.1, "f32": 1e-3}
"""Largest relative error per cut (Frobenius norm) at which an engine of that precision is believed.

In order of preference. bfloat16 keeps 8 bits: networks of dozens of layers are off by 1 to 6 per cent.
"""
AGREEMENT = 0.9
"""Share of the images whose nearest neighbour must be one of the reference's three nearest, at the top."""
SLOWER = 2.0
"""The other precision is preferred only if it is measured to be this much faster: so that noise does not choose."""
BATCH = 16
ROUNDS = 3

Pooled = dict[str, np.ndarray]


class Engine(Protocol):
    """Runs batches; `name` (engine and precision) is part of the key under which features are kept."""

    name: str

    def __call__(self, pixels: np.ndarray) -> Pooled:
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

    def __call__(self, pixels: np.ndarray) -> Pooled:
        """As `Engine` says."""
        with torch.inference_mode():
            x = torch.from_numpy(pixels).to(self._device)
            pooled = self._backbone(self._backbone.preprocessing.tensor(x))
        return {cut: z.cpu().numpy() for cut, z in zip(self._backbone.cuts, pooled, strict=True)}


class OpenVINOEngine:
    """The network as one compiled graph whose outputs are all cuts, on the CPU.

    Parameters
    ----------
    compiled : an OpenVINO model, see `compile_graph`; `name` says the precision that it really runs in.
    cuts : names of its outputs.
    """

    def __init__(self, compiled: Any, cuts: Sequence[str]) -> None:
        self.name = f"openvino-{effective_precision(compiled)}"
        self.compiled = compiled
        self._cuts = tuple(cuts)

    def __call__(self, pixels: np.ndarray) -> Pooled:
        """As `Engine` says."""
        out = self.compiled(pixels)
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


def compile_graph(graph: Any, *, precision: str = "f32") -> Any:
    """Compile for the CPU; a processor without bfloat16 takes the hint, says nothing, and runs in float32."""
    import openvino

    return openvino.Core().compile_model(graph, "CPU", _config(precision))


def effective_precision(compiled: Any) -> str:
    """``bf16`` or ``f32``: what a compiled model really runs in."""
    import openvino

    return "bf16" if compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.bf16 else "f32"


def _config(precision: str) -> dict[str, str]:
    return {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}


@dataclass(frozen=True)
class Opened:
    """An engine, and a sentence where a fast one was refused."""

    engine: Engine
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """How an engine's features compare with the reference's on the same images.

    Attributes
    ----------
    error : max over cuts of the relative error.
    agreement : share of the images whose nearest neighbour at the top is one of the reference's three nearest.
    """

    error: float
    agreement: float

    def doubt(self, precision: str) -> str:
        """Why the engine does not pass the gate; empty where it does."""
        if not self.error <= TOLERANCE[precision]:
            return f"features are off by {self.error:.1e}"
        return "nearest neighbours are others" if self.agreement < AGREEMENT else ""


def open_engine(backbone: Backbone, sample: np.ndarray, *, device: torch.device, cache: Path) -> Opened:
    """The fastest engine that gives the reference's features on `sample` (some dozens of images, uint8).

    What was compiled and timed before is read from `cache`; the gate is passed on each sample anew, so
    that the choice does not depend on which data came first.

    Raises
    ------
    StorageError : the disk is full.
    """
    reference = EagerEngine(backbone, device)
    if device.type != "cpu":
        return Opened(reference)
    try:
        path = _kept_at(backbone, cache)
        engines = _read(path, backbone.cuts) or _compile(backbone, sample, path)
        expected, doubt = _run(reference, sample), ""
        for precision, engine in engines.items():
            doubt = judge(_run(engine, sample), expected).doubt(precision)
            if not doubt:
                return Opened(engine)
        return Opened(reference, f"{backbone.name}: OpenVINO's {doubt}; torch runs it.")
    except StorageError:
        raise
    except Exception as error:  # the converter's failures have no base class of their own
        said = (str(error) or type(error).__name__).splitlines()[0]
        return Opened(reference, f"{backbone.name}: OpenVINO refused it ({said}); torch runs it.")


def _compile(backbone: Backbone, sample: np.ndarray, path: Path) -> dict[str, OpenVINOEngine]:
    """Engines by precision, in order of preference; kept at `path`."""
    graph = to_graph(backbone, backbone.preprocessing)
    made = [OpenVINOEngine(compile_graph(graph, precision=precision), backbone.cuts) for precision in TOLERANCE]
    engines = {engine.name.partition("-")[2]: engine for engine in made}
    seconds = _seconds(engines, sample)
    first, last = next(iter(engines)), next(reversed(engines))
    if seconds[first] > SLOWER * seconds[last]:
        engines = dict(reversed(engines.items()))
    blobs = {p: np.frombuffer(engine.compiled.export_model().getvalue(), np.uint8) for p, engine in engines.items()}
    write_arrays(path, blobs, about=json.dumps(list(engines)))
    return engines


def _seconds(engines: Mapping[str, Engine], sample: np.ndarray) -> dict[str, float]:
    """The least time that each engine took for the images, of some rounds in turn."""
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            started = time.perf_counter()
            _run(engine, sample)
            times[name].append(time.perf_counter() - started)
    return {name: min(measured) for name, measured in times.items()}


def _read(path: Path, cuts: Sequence[str]) -> dict[str, OpenVINOEngine] | None:
    """What was compiled before, or None where nothing was, it is damaged, or OpenVINO does not take it."""
    import openvino

    found = read_arrays(path)
    if found is None:
        return None
    core, engines = openvino.Core(), {}
    try:
        for precision in json.loads(found[1]):
            blob = io.BytesIO(found[0][precision].tobytes())
            engines[precision] = OpenVINOEngine(core.import_model(blob, "CPU", _config(precision)), cuts)
    except RuntimeError:
        return None
    return engines


def _kept_at(backbone: Backbone, cache: Path) -> Path:
    """Where the engine is kept: the key holds all that the compiled code and the choice depend on."""
    import openvino

    core = openvino.Core()
    machine = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}|{core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}"
    network = f"{backbone.fingerprint(backbone.cuts[-1])}|{','.join(backbone.cuts)}|{backbone.preprocessing}"
    key = f"{network}|{machine}|{openvino.__version__}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return cache / "engines" / f"{backbone.architecture}-{backbone.preprocessing.size}-{digest}.safetensors"


def judge(got: Pooled, expected: Pooled) -> Judged:
    """Compare features of the same images; without any label."""
    return Judged(relative_error(got, expected), agreement(got["top"], expected["top"]))


def _run(engine: Engine, sample: np.ndarray) -> Pooled:
    parts = [engine(sample[at : at + BATCH]) for at in range(0, len(sample), BATCH)]
    return {cut: np.concatenate([part[cut] for part in parts]) for cut in parts[0]}


def relative_error(got: Pooled, expected: Pooled) -> float:
    """Max over cuts of ‖got − expected‖ / ‖expected‖; infinite where a feature is not finite."""
    errors = [np.linalg.norm(got[cut] - z) / max(float(np.linalg.norm(z)), 1e-12) for cut, z in expected.items()]
    worst = float(np.max(errors))
    return worst if np.isfinite(worst) else float("inf")


def agreement(got: np.ndarray, expected: np.ndarray) -> float:
    """Share of the rows (n, d) whose nearest other row, by cosine, is one of the three nearest in `expected`.

    1 where there are too few rows to tell.
    """
    n = len(got)
    if n < 5 or not np.isfinite(got).all():
        return 1.0 if n < 5 else 0.0
    nearest = _similarity(got).argmax(1)
    three = np.argsort(-_similarity(expected), axis=1, kind="stable")[:, :3]
    return float((three == nearest[:, None]).any(1).mean())


def _similarity(z: np.ndarray) -> np.ndarray:
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    similarity: np.ndarray = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return similarity
