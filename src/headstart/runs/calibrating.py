"""A few seconds of measuring, from which a plan of the whole run is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from headstart.advice import Calibration
from headstart.backbones import Backbone, Transferred, load
from headstart.data.batches import Augmentation, Batch
from headstart.objectives import CrossEntropy
from headstart.shallow.logistic import LogisticHead
from headstart.strategies import Strategy, frozen_cut

BATCH = 16
ROUNDS = 3
FITS = 8.0
"""Logistic regressions of 512 images and ten classes that the competition of heads costs for every thousand
images times classes, as measured on three data sets."""


def calibrate(
    names: Sequence[str], rows: Sequence[Strategy], *, size: int, k: int, device: torch.device
) -> dict[str, Calibration]:
    """Seconds per image, forward and training, of every backbone.

    Training is measured on the first backbone; the others' costs follow in the ratio of their
    forward passes. A training step takes in its augmentation. The median of several rounds counts:
    a run lasts long enough to meet the slow moments too.
    """
    x = torch.zeros(BATCH, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    calls: dict[str, Callable[[], object]] = {}
    for name in names:
        backbone = load(name, size=size).to(device).to(memory_format=torch.channels_last)
        calls[name] = _forward(backbone, x)
    for row in rows:
        if row.trains:
            backbone = load(names[0], size=size).to(device).to(memory_format=torch.channels_last)
            calls[row.name] = _step(row, backbone, x, k)
    seconds = _typical(calls, x)
    steps = {row.name: seconds[row.name] for row in rows if row.trains}
    heads = _heads()
    return {
        name: Calibration(
            seconds[name], {row: step * seconds[name] / seconds[names[0]] for row, step in steps.items()}, heads
        )
        for name in names
    }


def _heads() -> float:
    """Seconds of the competition of heads an image and class, from one logistic regression on noise."""
    classes = np.arange(512) % 10
    z = np.random.default_rng(0).normal(size=(512, 1280)).astype("f4") + 0.1 * classes[:, None].astype("f4")
    times = []
    with threadpool_limits(1, user_api="blas"):
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


def _step(row: Strategy, backbone: Backbone, x: torch.Tensor, k: int) -> Callable[[], object]:
    head = nn.Linear(backbone.widths["top"], k).to(x.device)
    model = Transferred(backbone, head, frozen=frozen_cut(row, backbone.cuts)).train()
    y = torch.arange(BATCH, device=x.device) % k
    augmentation, generator = Augmentation(), torch.Generator()
    objective = CrossEntropy()
    optimizer = torch.optim.AdamW(model.trainable(), lr=0.0, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        objective(model, Batch(augmentation(x, generator), y), 0.0)["cross_entropy"].backward()
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
