"""Choosing the engine that runs a backbone: pixels in, pooled features at every cut out.

The eager engine is the reference and always works. On the CPU OpenVINO runs the same network as one
compiled graph, in float32 or, where the processor has it, in bfloat16; an accelerator runs it in bfloat16.
Which is preferred is measured; a gate without labels compares its features of some images, and their
nearest neighbours, with the reference's, and where they differ the next is taken, at last the reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import graphs
from headstart.backbones.backbone import Backbone
from headstart.backbones.engine import EagerEngine, Engine, HalfEngine, Pooled, run
from headstart.errors import StorageError

TOLERANCE = {"bf16": 0.25, "f32": 1e-3}
"""Largest error per cut, beside what differs between images, at which an engine of that precision is believed.

bfloat16 keeps 8 bits: networks of dozens of layers are off by 1 to 6 per cent, and by up to 16 beside what differs.
"""
ROUNDING = 1e-3
"""Differences between images below this share of the features are as good as none: no engine could keep them."""
FEWEST = 5
"""Images below which nothing is known of how they differ."""
AGREEMENT = 0.9
"""Share of the images whose nearest neighbour must be one of the reference's three nearest, at the top."""
COMPILING = 60.0
"""Seconds that compiling a network's blocks for an accelerator takes at most, roughly."""


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
    error : max over cuts of the error beside what differs between images.
    agreement : share of the images whose nearest neighbour at the top is one of the reference's three nearest.
    """

    error: float
    agreement: float

    def doubt(self, precision: str) -> str:
        """Why the engine does not pass the gate; empty where it does."""
        if not self.error <= TOLERANCE[precision]:
            return f"features are off by {self.error:.1e}"
        return "nearest neighbours are others" if self.agreement < AGREEMENT else ""


def open_engine(
    backbone: Backbone, sample: np.ndarray, *, device: torch.device, cache: Path, images: int = 0, prefer: str = ""
) -> Opened:
    """The fastest engine that gives the reference's features on `sample` (uint8, some images).

    The gate is passed on each sample anew, so that the choice does not depend on which data came first.

    Parameters
    ----------
    cache : where compiled networks are kept.
    images : how many it will run: what compiling for an accelerator has to pay back.
    prefer : the name of the engine to try first, where one has computed features before.

    Raises
    ------
    StorageError : the disk is full.
    """
    reference, by = EagerEngine(backbone, device), "OpenVINO"
    try:
        if device.type == "cpu":
            engines: Iterator[tuple[str, Engine]] = graphs.offered(backbone, sample, cache=cache, prefer=prefer)
        else:
            engines, by = _halved(backbone, sample, reference, device=device, images=images, prefer=prefer), "bfloat16"
        expected, doubt = run(reference, sample), ""
        for precision, engine in engines:
            doubt = judge(run(engine, sample), expected).doubt(precision)
            if not doubt:
                return Opened(engine)
        return Opened(reference, f"{backbone.name}: {by}'s {doubt}; torch runs it." if doubt else "")
    except StorageError:
        raise
    except Exception as error:  # the converter's failures have no base class of their own
        said = (str(error) or type(error).__name__).splitlines()[0]
        return Opened(reference, f"{backbone.name}: {by} refused it ({said}); torch runs it.")


def _halved(
    backbone: Backbone, sample: np.ndarray, reference: Engine, *, device: torch.device, images: int, prefer: str = ""
) -> Iterator[tuple[str, Engine]]:
    """bfloat16, unless it is measured to be much slower; with compiled blocks where so many images pay that back."""
    if prefer == reference.name:
        return
    half = HalfEngine(backbone, device)
    seconds = _least_seconds(half, sample)
    if not prefer and seconds > graphs.SLOWER * _least_seconds(reference, sample):
        return
    wanted = "compiled" in prefer or (not prefer and images * seconds / len(sample) > 2 * COMPILING)
    if wanted and (compiled := _compiled(backbone, sample, device)):
        yield "bf16", compiled
    yield "bf16", half


def _compiled(backbone: Backbone, sample: np.ndarray, device: torch.device) -> HalfEngine | None:
    """With compiled blocks, or None: not every network compiles, nor has every machine a compiler."""
    try:
        engine = HalfEngine(backbone, device, compiled=True)
        run(engine, sample)
    except Exception:
        return None
    return engine


def _least_seconds(engine: Engine, sample: np.ndarray) -> float:
    """Of some runs after a first one."""
    times = []
    for _ in range(1 + graphs.ROUNDS):
        started = time.perf_counter()
        run(engine, sample)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def judge(got: Pooled, expected: Pooled) -> Judged:
    """Compare features of the same images; without any label."""
    return Judged(relative_error(got, expected), agreement(got["top"], expected["top"]))


def relative_error(got: Pooled, expected: Pooled) -> float:
    """Max over cuts of ‖got − z‖ / ‖z − mean z‖, z expected; infinite where a feature is not finite.

    A head reads differences between images. Where these are small beside the features themselves, as they are in a
    network that hardly tells images apart, an error that is small beside the features may be all that it reads.
    """
    errors = [np.linalg.norm(got[cut] - z) / _spread(z) for cut, z in expected.items()]
    worst = float(np.max(errors))
    return worst if np.isfinite(worst) else float("inf")


def _spread(z: np.ndarray) -> float:
    """Norm of what differs between the rows of ``(n, d)``, floored; of all of it where there are too few rows."""
    whole = float(np.linalg.norm(z))
    differing = float(np.linalg.norm(z - z.mean(axis=0))) if len(z) >= FEWEST else whole
    return max(differing, ROUNDING * whole, 1e-12)


def agreement(got: np.ndarray, expected: np.ndarray) -> float:
    """Share of the rows (n, d) whose nearest other row, by cosine, is one of the three nearest in `expected`.

    1 where there are too few rows to tell.
    """
    n = len(got)
    if n < FEWEST or not np.isfinite(got).all():
        return 1.0 if n < FEWEST else 0.0
    nearest = _similarity(got).argmax(1)
    three = np.argsort(-_similarity(expected), axis=1, kind="stable")[:, :3]
    return float((three == nearest[:, None]).any(1).mean())


def _similarity(z: np.ndarray) -> np.ndarray:
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    similarity: np.ndarray = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return similarity
