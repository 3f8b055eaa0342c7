#!/usr/bin/env python3
"""Does making the sets hold learning up? Steps of `pretrain` beside the same on ready tensors, and lightly's loop.

python bench/pretraining.py          measure what bench/grids/pretraining.toml declares
python bench/pretraining.py table    print the table
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from subsets import CASES

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/pretraining.toml").read_text())
RECORDS = HERE / "records/pretraining.jsonl"
Row = dict[str, Any]


def posed(method: str, architecture: str, size: int) -> tuple[Any, Any, Any]:
    """Feed, model and objective as `pretrain` makes them."""
    import torch

    from headstart.backbones import load_random
    from headstart.runs.beginning import as_model
    from headstart.runs.machine import cache_folder
    from headstart.runs.material import read_material
    from headstart.runs.options import Pretraining
    from headstart.runs.surrogates import pose, side_of
    from headstart.strategies import SURROGATES

    row = SURROGATES[method]
    options = Pretraining(
        data="case",
        backbones=(f"random/{architecture}",),
        seed=0,
        size=size,
        split=(0.6, 0.2, 0.2),
        device="cpu",
        budget=1.0,
        method=method,
    )
    told: dict[str, Any] = {"side": side_of(row, size), "cache": cache_folder(), "progress": lambda *_: None}
    material = read_material(CASES / GRID["case"], row, options, **told)
    backbone = load_random(architecture, size=size, seed=0)
    made = pose(row, material, backbone.preprocessing, options, device=torch.device("cpu"))
    return made, as_model(backbone, torch.device("cpu")), made.start(backbone.widths["top"], 1)


def stepper(model: Any, objective: Any) -> Callable[[Any], None]:
    """A training step as the loop does it."""
    import torch

    from headstart.training import surrogate
    from headstart.training.loop import make_optimizer
    from headstart.training.objective import own_parameters

    model.train()
    optimizer = make_optimizer(model, surrogate(1000, epochs=1), beside=own_parameters(objective))

    def step(batch: Any) -> None:
        loss = torch.stack(list(objective(model, batch, 0.0).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def beside_ready(method: str, architecture: str, size: int) -> list[float]:
    """Ready over ours, a round each: the share of the bare loop's speed that is reached."""
    made, model, objective = posed(method, architecture, size)
    step = stepper(model, objective)
    found = []
    for epoch in range(1, GRID["rounds"] + 1):
        feed = made.feed.shuffled(epoch, seed=0, augmentation=made.augmentation)
        ready = next(feed)
        step(ready)
        ours = bare = 0.0
        for _ in range(GRID["steps"]):
            started = time.perf_counter()
            step(next(feed))
            ours += time.perf_counter() - started
            started = time.perf_counter()
            step(ready)
            bare += time.perf_counter() - started
        found.append(bare / ours)
    return found


def beside_lightly(architecture: str, size: int) -> list[float]:
    """Lightly's seconds over ours for as many steps of SimCLR, a round each; both make their views as they go."""
    made, model, objective = posed("simclr", architecture, size)
    step, theirs = stepper(model, objective), lightly_steps(architecture, size)
    found = []
    for epoch in range(1, GRID["rounds"] + 1):
        feed = made.feed.shuffled(epoch, seed=0, augmentation=made.augmentation)
        step(next(feed))
        started = time.perf_counter()
        for _ in range(GRID["steps"]):
            step(next(feed))
        ours = time.perf_counter() - started
        next(theirs)
        started = time.perf_counter()
        for _ in range(GRID["steps"]):
            next(theirs)
        found.append((time.perf_counter() - started) / ours)
    return found


def lightly_steps(architecture: str, size: int) -> Iterator[None]:
    """The loop of lightly's example for SimCLR, on the same network; two workers make its views."""
    import timm
    import torch
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    network = timm.create_model(architecture, num_classes=0).to(memory_format=torch.channels_last)
    width = network(torch.zeros(2, 3, size, size)).shape[1]
    head, criterion = SimCLRProjectionHead(width, 512, 128), NTXentLoss()
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.06)
    data = LightlyDataset(str(CASES / GRID["case"]), transform=SimCLRTransform(input_size=size, gaussian_blur=0.0))
    loader = torch.utils.data.DataLoader(
        data, batch_size=64, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True
    )
    while True:
        for (x0, x1), _, _ in loader:
            z0, z1 = head(network(x0)), head(network(x1))
            loss = criterion(z0, z1)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield None


def run() -> None:
    """Every method on every network, then lightly."""
    from headstart.runs.machine import machine

    rows: list[Row] = []
    for architecture, size in GRID["networks"]:
        for method in GRID["methods"]:
            ratios = beside_ready(method, architecture, size)
            rows.append({"what": "ready", "method": method, "network": architecture, "size": size, "ratios": ratios})
            print(rows[-1], flush=True)
        ratios = beside_lightly(architecture, size)
        rows.append({"what": "lightly", "method": "simclr", "network": architecture, "size": size, "ratios": ratios})
        print(rows[-1], flush=True)
    RECORDS.write_text("".join(json.dumps(row | {"machine": machine()}) + "\n" for row in rows))


def table() -> None:
    """Markdown: ratios by network and method."""
    print("| network | pixels | method | beside | ratio: median (least to most) | bar |\n|---|---|---|---|---|---|")
    rows = [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []
    for row in rows:
        peer, bar = ("ready tensors", "0.8") if row["what"] == "ready" else ("lightly's example", "1")
        ratios = row["ratios"]
        told = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {row['network']} | {row['size']} | `{row['method']}` | {peer} | {told} | {bar} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    table() if sys.argv[1:] else run()
