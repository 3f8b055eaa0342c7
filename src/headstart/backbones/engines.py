"""Engines that run a backbone: pixels in, pooled features at every cut out.

The eager engine is the reference and always works. The OpenVINO engines run the same network as one
compiled graph, in float32 or, where the processor has it, in bfloat16. Which one is chosen by measuring
on the first images, without labels: a gate compares its features and their nearest neighbours with the
reference's, and the reference is kept where they differ. What was compiled and chosen is kept on disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones.backbone import Backbone, Preprocessing
from headstart.records.arrays import read_arrays, write_arrays

TOLERANCE = {"bf16": 0.1, "f32": 1e-3}
"""Largest relative error per cut (Frobenius norm) at which an engine of that precision is believed.

In order of preference. bfloat16 keeps 8 bits: networks of dozens of layers are off by 1 to 6 per cent.
"""
AGREEMENT = 0.9
"""Share of the images whose nearest neighbour must be one of the reference's three nearest, at the top."""
SLOWER = 1.2
"""A precision further down is taken only if it is measured to be this much faster: so that noise does not choose."""
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
    """How an engine compares with the reference on some images.

    Attributes
    ----------
    error : max over cuts of the relative error.
    agreement : share of the images whose nearest neighbour at the top is one of the reference's three nearest.
    seconds : of one pass over the images.
    """

    error: float
    agreement: float
    seconds: float

    def believed(self, precision: str) -> bool:
        """Whether the engine passes the gate."""
        return self.error <= TOLERANCE[precision] and self.agreement >= AGREEMENT


def open_engine(backbone: Backbone, sample: np.ndarray, *, device: torch.device, cache: Path) -> Opened:
    """The fastest engine that gives the reference's features on `sample` (some dozens of images, uint8)."""
    reference = EagerEngine(backbone, device)
    if device.type != "cpu":
        return Opened(reference)
    try:
        path = _kept_at(backbone, cache)
        return Opened(_read(path, backbone.cuts) or _choose(backbone, reference, sample, path))
    except _Refused as refused:
        return Opened(reference, f"{backbone.name}: {refused}; torch runs it.")
    except Exception as error:  # the converter's failures have no base class of their own
        said = (str(error) or type(error).__name__).splitlines()[0]
        return Opened(reference, f"{backbone.name}: OpenVINO refused it ({said}); torch runs it.")


class _Refused(Exception):
    """No fast engine gave the reference's features."""


def _choose(backbone: Backbone, reference: Engine, sample: np.ndarray, path: Path) -> OpenVINOEngine:
    graph = to_graph(backbone, backbone.preprocessing)
    made = [OpenVINOEngine(compile_graph(graph, precision=precision), backbone.cuts) for precision in TOLERANCE]
    engines = {engine.name.partition("-")[2]: engine for engine in made}
    judged = judge(engines, reference, sample)
    passed = {precision: found for precision, found in judged.items() if found.believed(precision)}
    if not passed:
        worst = min(found.error for found in judged.values())
        raise _Refused(f"OpenVINO's features are off by {worst:.1e}")
    preferred = next(iter(passed))
    fastest = min(passed, key=lambda precision: passed[precision].seconds)
    chosen = fastest if passed[preferred].seconds > SLOWER * passed[fastest].seconds else preferred
    about = {"precision": chosen, "judged": {precision: asdict(found) for precision, found in judged.items()}}
    blob = np.frombuffer(engines[chosen].compiled.export_model().getvalue(), np.uint8)
    write_arrays(path, {"blob": blob}, about=json.dumps(about))
    return engines[chosen]


def _read(path: Path, cuts: Sequence[str]) -> OpenVINOEngine | None:
    """What was compiled and chosen before, or None where nothing was or it is damaged."""
    import openvino

    found = read_arrays(path)
    if found is None:
        return None
    blob = io.BytesIO(found[0]["blob"].tobytes())
    precision = json.loads(found[1])["precision"]
    return OpenVINOEngine(openvino.Core().import_model(blob, "CPU", _config(precision)), cuts)


def _kept_at(backbone: Backbone, cache: Path) -> Path:
    """Where the engine is kept: the key holds all that the compiled code and the choice depend on."""
    import openvino

    core = openvino.Core()
    machine = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}|{core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}"
    network = f"{backbone.fingerprint(backbone.cuts[-1])}|{','.join(backbone.cuts)}|{backbone.preprocessing}"
    key = f"{network}|{machine}|{openvino.__version__}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return cache / "engines" / f"{backbone.architecture}-{backbone.preprocessing.size}-{digest}.safetensors"


def judge(engines: Mapping[str, Engine], reference: Engine, sample: np.ndarray) -> dict[str, Judged]:
    """Compare engines with the reference on the same images, and time them in turn; without any label.

    Parameters
    ----------
    sample : uint8 (n, size, size, 3), distinct images.
    """
    expected = _run(reference, sample)
    times: dict[str, list[float]] = {name: [] for name in engines}
    got: dict[str, Pooled] = {}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            started = time.perf_counter()
            got[name] = _run(engine, sample)
            times[name].append(time.perf_counter() - started)
    return {
        name: Judged(relative_error(z, expected), agreement(z["top"], expected["top"]), min(times[name]))
        for name, z in got.items()
    }


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
