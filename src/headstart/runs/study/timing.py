"""What a network of the laboratory takes: measured, in as many processes at a time as networks will be trained in."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred, load_random
from headstart.data.batches import Steps
from headstart.objectives import CrossEntropy
from headstart.runs.side_by_side import SideBySide
from headstart.runs.study.cells import JUDGED_AT_ONCE, images_of
from headstart.runs.study.laboratory import Laboratory, Sides
from headstart.training import score, train, transplanted
from headstart.training.loop import random_state, set_random_state

TIMED = 6
RATE = 1e-3
"""Learning rate of epochs that are timed: it does not matter."""
Measure = Callable[[], object]


@dataclass(frozen=True)
class Costs:
    """Seconds on one thread.

    Attributes
    ----------
    step : a step of the whole network, and of what is above each cut.
    forward : an image through the whole network, and through what is below each cut.
    epoch : what ends an epoch: the images that are watched are judged, and the state is kept.
    made : a network with random weights.
    """

    step: dict[str, float]
    forward: dict[str, float]
    epoch: float
    made: float


@dataclass(frozen=True)
class Trial:
    """What is timed: steps of `batch` images of a half, above each of these cuts."""

    sides: Sides
    batch: int
    cuts: tuple[str, ...]


def calibrate(lab: Laboratory, trial: Trial, *, jobs: int) -> Costs:
    """Time a few steps and passes in as many processes at a time as cells will run in: they share memory, or a GPU."""
    together = multiprocessing.get_context("spawn").Barrier(jobs)
    with SideBySide((lab, together), jobs=jobs) as workers:
        found = list(workers.each(measure, [trial] * jobs))
    step, forward = (
        {cut: fmean(getattr(one, name)[cut] for one in found) for cut in getattr(found[0], name)}
        for name in ("step", "forward")
    )
    return Costs(step, forward, fmean(one.epoch for one in found), fmean(one.made for one in found))


def measure(shared: tuple[Laboratory, Barrier], trial: Trial) -> Costs:
    """Time a few steps and passes, one process's share of `calibrate`, once all others are ready too."""
    lab, together = shared
    together.wait()
    sides, batch, cuts = trial.sides, trial.batch, trial.cuts
    make = partial(load_random, lab.options.architecture, size=lab.options.size, seed=0)
    made, backbone = _timed(make, lab.device), make()
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], sides.k))
    model = model.to(lab.device).to(memory_format=torch.channels_last)
    rows = np.resize(sides.train, batch)

    def read() -> Tensor:
        return backbone.preprocessing.tensor(lab.survey.pixels(rows), device=lab.device)

    # What is stored of a frozen part is read as images are.
    reading = _timed(read, lab.device)
    x = read().contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(sides.number[lab.labelled.y[rows]]).to(lab.device)
    step, forward = {"": reading + _step_s(model, x, y)}, {"": _pass_s(model, x) / batch}
    # Before a cut freezes what is below it: they share the network.
    epoch = max(0.0, _epoch_s(lab, trial, model) - step[""])
    for cut in cuts:
        frozen = Transferred(backbone, model.head, frozen=cut).to(lab.device)
        lower = backbone.lower(cut).eval()
        with torch.no_grad():
            z = lower(x)
        step[cut], forward[cut] = reading + _step_s(frozen.above(), z, y), _pass_s(lower, x) / batch
    return Costs(step, forward, epoch, made)


def _epoch_s(lab: Laboratory, trial: Trial, model: Transferred) -> float:
    """The shorter of two epochs of one step."""
    images = partial(images_of, lab, trial.sides, model.backbone)
    watched, ends = images(trial.sides.watched, JUDGED_AT_ONCE), []
    with TemporaryDirectory() as place:
        train(
            model,
            Steps(images(trial.sides.train, trial.batch), 1),
            objective=CrossEntropy(label_smoothing=0.0),
            recipe=transplanted(epochs=3, batch_size=trial.batch, lr=RATE),
            seed=0,
            evaluate=partial(score, batches=watched),
            checkpoint=Path(place) / "training.safetensors",
            progress=lambda *_: ends.append(time.perf_counter()),
        )
    # A network that diverges at once ends none.
    return min((later - before for before, later in pairwise(ends[-3:])), default=0.0)


def _step_s(model: Transferred, x: Tensor, y: Tensor) -> float:
    model.train()
    optimizer = torch.optim.AdamW(model.trainable(), fused=True)

    def step() -> None:
        state = random_state(x.device)
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        loss.item()
        set_random_state(state, x.device)

    return _timed(step, x.device)


def _pass_s(module: nn.Module, x: Tensor) -> float:
    module.eval()

    def run() -> None:
        with torch.no_grad():
            module(x)

    return _timed(run, x.device)


def _timed(run: Measure, device: torch.device) -> float:
    taken = []
    for _ in range(TIMED):
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - started)
    return sorted(taken[1:])[len(taken) // 2 - 1]
