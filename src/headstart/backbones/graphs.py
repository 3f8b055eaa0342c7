"""A backbone as one compiled graph on the CPU, by OpenVINO; what was compiled is kept on disk."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbones.backbone import Backbone
from headstart.backbones.conversion import network_graph
from headstart.backbones.engine import Engine, Pooled, run
from headstart.records.arrays import read_arrays, write_arrays

PRECISIONS = ("bf16", "f32")
"""In order of preference."""
SLOWER = 2.0
"""The other precision is preferred only if it is measured to be this much faster: so that noise does not choose."""
ROUNDS, MOST_ROUNDS, LONG_ENOUGH = 3, 50, 0.3
"""Rounds of timing, at least and at most, and the seconds that suffice: a small network needs many to outlast noise."""
CHUNK = 4
"""Images that a graph takes at a time: their activations stay in the processor's own memory (see decision 0018)."""


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
        parts = [self.compiled(pixels[at : at + CHUNK]) for at in range(0, len(pixels), CHUNK)]
        return {cut: np.concatenate([part[i] for part in parts]) for i, cut in enumerate(self._cuts)}


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


def offered(
    backbone: Backbone, sample: np.ndarray, *, cache: Path, prefer: str = ""
) -> Iterator[tuple[str, OpenVINOEngine]]:
    """Engines with their precision, that of the name `prefer` first, each opened when it is asked for.

    What was compiled and timed before is read from `cache`; `sample` (some images, uint8) is what they are timed on.

    Raises
    ------
    StorageError : the disk is full.
    """
    path = _kept_at(backbone, cache)
    kept = read_arrays(path, [])
    made = {} if kept else _compile(backbone, sample, path)
    order = json.loads(kept[1]) if kept else list(made)
    for precision in sorted(order, key=lambda precision: f"openvino-{precision}" != prefer):
        engine = made.get(precision) or _read(path, precision, backbone.cuts)
        if engine is None:
            made = _compile(backbone, sample, path)
            engine = made[precision]
        yield precision, engine


def _compile(backbone: Backbone, sample: np.ndarray, path: Path) -> dict[str, OpenVINOEngine]:
    """Engines by precision, in order of preference; kept at `path`."""
    graph = network_graph(backbone)
    made = [OpenVINOEngine(compile_graph(graph, precision=precision), backbone.cuts) for precision in PRECISIONS]
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
    for number in range(MOST_ROUNDS):
        if number >= ROUNDS and sum(map(sum, times.values())) >= LONG_ENOUGH:
            break
        for name, engine in engines.items():
            started = time.perf_counter()
            run(engine, sample)
            times[name].append(time.perf_counter() - started)
    return {name: min(measured) for name, measured in times.items()}


def _read(path: Path, precision: str, cuts: Sequence[str]) -> OpenVINOEngine | None:
    """What was compiled before, or None where it is damaged, or OpenVINO does not take it."""
    import openvino

    found = read_arrays(path, [precision])
    if found is None:
        return None
    try:
        blob = io.BytesIO(found[0][precision].tobytes())
        return OpenVINOEngine(openvino.Core().import_model(blob, "CPU", _config(precision)), cuts)
    except RuntimeError:
        return None


def _kept_at(backbone: Backbone, cache: Path) -> Path:
    """Where the engine is kept: the key holds all that the compiled code and the choice depend on."""
    import openvino

    core = openvino.Core()
    machine = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}|{core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}"
    network = f"{backbone.fingerprint(backbone.cuts[-1])}|{','.join(backbone.cuts)}|{backbone.preprocessing}"
    key = f"{network}|{machine}|{openvino.__version__}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return cache / "engines" / f"{backbone.architecture}-{backbone.preprocessing.size}-{digest}.safetensors"
