"""A few seconds of measuring, from which a plan of the whole run is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torch import nn

from headstart.advice import Above, Calibration
from headstart.backbones import Backbone, Transferred, load
from headstart.data.batches import Augmentation, Batch, draw
from headstart.errors import OptionError
from headstart.objectives import CrossEntropy, Start
from headstart.shallow.logistic import LogisticHead
from headstart.shallow.threads import one_thread
from headstart.strategies import Strategy, frozen_cut

BATCH = 16
ROUNDS = 3
FITS = 4.0
"""Logistic regressions like that of `_heads` that the competition of heads costs for every thousand
images times classes, as measured on three data sets."""


def calibrate(
    names: Sequence[str], rows: Sequence[Strategy], *, size: int, k: int, device: torch.device
) -> dict[str, Calibration]:
    """Seconds per image, forward and training, of every backbone.

    Training is measured on the first backbone; the others' costs follow in the ratio of their
    forward passes. A training step takes in its augmentation. The median of several rounds counts:
    a run lasts long enough to meet the slow moments too.

    Raises
    ------
    OptionError : a backbone has fewer blocks than a strategy trains.
    """
    x = torch.zeros(BATCH, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    backbones = {name: load(name, size=size).to(device).to(memory_format=torch.channels_last) for name in names}
    cuts = {name: _frozen_cuts(rows, backbone) for name, backbone in backbones.items()}
    calls: dict[str, Callable[[], object]] = {name: _forward(backbone, x) for name, backbone in backbones.items()}
    partly = [row for row in rows if row.trains and cuts[names[0]][row.name]]
    for row in rows:
        if row.trains:
            start = _start(row, load(names[0], size=size).to(device), k)
            calls[row.name] = _step(row, start, x, augmented=True)
            if row in partly:
                y = _lower(start.model, x)()
                calls[f"{row.name}/lower"] = _lower(start.model, x)
                entered = replace(start, model=start.model.above())
                calls[f"{row.name}/step"] = _step(row, entered, y, augmented=False)
    seconds = _typical(calls, x)
    heads = _heads()
    return {
        name: _calibration(
            backbone,
            seconds[name],
            {call: value * seconds[name] / seconds[names[0]] for call, value in seconds.items()},
            cuts=cuts[name],
            heads=heads,
        )
        for name, backbone in backbones.items()
    }


def _frozen_cuts(rows: Sequence[Strategy], backbone: Backbone) -> dict[str, str]:
    """By strategy that trains."""
    try:
        return {row.name: frozen_cut(row, backbone.cuts) for row in rows if row.trains}
    except OptionError as error:
        raise OptionError(f"{backbone.name}: {error.fact}", error.remedy) from error


def _calibration(
    backbone: Backbone, forward: float, scaled: Mapping[str, float], *, cuts: Mapping[str, str], heads: float
) -> Calibration:
    x = torch.zeros(1, 3, backbone.preprocessing.size, backbone.preprocessing.size, device=_device(backbone))
    above = {}
    for row, cut in cuts.items():
        if cut and f"{row}/step" in scaled:
            with torch.inference_mode():
                size = backbone.lower(cut)(x).numel() * 4
            above[row] = Above(scaled[f"{row}/lower"], scaled[f"{row}/step"], size)
    return Calibration(forward, {row: scaled[row] for row in cuts}, heads, above)


def _device(backbone: Backbone) -> torch.device:
    return next(backbone.parameters()).device


def _heads() -> float:
    """Seconds of the competition of heads an image and class, from one logistic regression on noise."""
    classes = np.arange(1280) % 10
    z = np.random.default_rng(0).normal(size=(1280, 640)).astype("f4") + 0.1 * classes[:, None].astype("f4")
    times = []
    with one_thread():
        for _ in range(ROUNDS):
            started = time.perf_counter()
            LogisticHead().fit(z, classes)
            times.append(time.perf_counter() - started)
    return FITS * median(times) / 1000


def _forward(backbone: Backbone, x: torch.Tensor) -> Callable[[], object]:
    whole = backbone.upper("")

    def forward() -> None:
        with torch.inference_mode():
            whole(x)

    return forward


def _start(row: Strategy, backbone: Backbone, k: int) -> Start:
    """What a strategy starts from, with a head and images of no meaning."""
    head, classifier = nn.Linear(backbone.widths["top"], k).to(_device(backbone)), backbone.classifier()
    model = Transferred(backbone, head, frozen=frozen_cut(row, backbone.cuts), only=row.only)
    z = np.zeros((k, backbone.widths["top"]), "f4")
    return Start(model.to(memory_format=torch.channels_last).train(), classifier, z, np.arange(k))


def _lower(model: Transferred, x: torch.Tensor) -> Callable[[], torch.Tensor]:
    lower = model.backbone.lower(model.frozen)

    def run() -> torch.Tensor:
        with torch.no_grad():
            y: torch.Tensor = lower(x)
        return y

    return run


def _step(row: Strategy, start: Start, x: torch.Tensor, *, augmented: bool) -> Callable[[], object]:
    model, y = start.model, torch.arange(BATCH, device=x.device) % len(start.y)
    augmentation, keys = Augmentation(), [str(i) for i in range(BATCH)]
    objective = CrossEntropy(penalties=[row.penalty(start)] if row.penalty else [])
    optimizer = torch.optim.AdamW([*model.trainable(), *objective.parameters()], lr=0.0, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        seen = augmentation(x, draw(keys, seed=0, view=0)) if augmented else x
        torch.stack(list(objective(model, Batch(seen, y), 0.0).values())).sum().backward()
        optimizer.step()

    return step


def _typical(calls: Mapping[str, Callable[[], object]], x: torch.Tensor) -> dict[str, float]:
    """Seconds an image of each call: all calls in turn, a round to warm up and some that count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if x.is_cuda:
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - started)
    return {name: median(measured[1:]) / len(x) for name, measured in times.items()}
