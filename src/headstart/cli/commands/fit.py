"""`headstart fit`, and `demo`, which fits digits."""

from __future__ import annotations

from pathlib import Path

from headstart.cli.options import (
    Backbones,
    Budget,
    ClassWeight,
    Device,
    EarlierRuns,
    Images,
    Json,
    Margin,
    MaxPixels,
    Memory,
    MetricName,
    Out,
    Rate,
    Seed,
    Size,
    SplitShares,
    StrategyName,
    Strict,
)
from headstart.cli.show import Terminal


def fit_command(
    data: Images,
    out: Out,
    budget: Budget = "8m",
    backbone: Backbones = None,
    runs: EarlierRuns = None,
    strategy: StrategyName = "auto",
    seed: Seed = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    metric: MetricName = "accuracy",
    margin: Margin = 0.5,
    class_weight: ClassWeight = "none",
    rate: Rate = "recipe",
    device: Device = "auto",
    strict: Strict = False,
    max_pixels: MaxPixels = 64_000_000,
    memory: Memory = "3GB",
    as_json: Json = False,
) -> None:
    """Labelled images in, an adapted model and the evidence out."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.runs.fit import fit
        from headstart.runs.options import parse_split

        run = fit(
            data,
            out,
            budget=budget,
            backbones=backbone or (),
            runs=runs or (),
            strategy=strategy,
            seed=seed,
            size=size,
            split=parse_split(split),
            metric=metric,
            margin=margin,
            class_weight=class_weight,
            rate=rate,
            device=device,
            strict=strict,
            max_pixels=max_pixels,
            memory=memory,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        terminal.close(run, as_json=as_json)


def demo_command(
    out: Out = Path("demo-run"),
    budget: Budget = "5m",
    backbone: Backbones = None,
    size: Size = 64,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The main job on handwritten digits that come with scikit-learn: a task far from ImageNet."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.runs.demo import write_digits
        from headstart.runs.fit import fit
        from headstart.runs.machine import cache_folder

        data = write_digits(cache_folder() / "digits")
        run = fit(
            data,
            out,
            budget=budget,
            backbones=backbone or (),
            size=size,
            seed=seed,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        terminal.close(run, as_json=as_json)
