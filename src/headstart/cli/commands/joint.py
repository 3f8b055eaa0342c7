"""`headstart joint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Device, Json, MaxPixels, MetricName, Out, Seed, Size, SplitShares
from headstart.cli.show import Terminal


def joint_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="path[,split,group] and a column for each task.")],
    label: Annotated[
        list[str], typer.Option("--label", metavar="COLUMN", help="The labels of a task; two or more of these.")
    ],
    out: Out,
    backbone: Annotated[str, typer.Option(help="What everything starts from.")] = "packaged/efficientnet_lite0",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Of each training; by default 8 to 16, fewer of more images.")
    ] = None,
    seed: Seed = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    metric: MetricName = "accuracy",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Several tasks on the images of one table: one network with a head for each, and the evidence."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.joining import print_joint
        from headstart.runs.joint import joint
        from headstart.runs.options import parse_split

        run = joint(
            table,
            label,
            out,
            backbone=backbone,
            epochs=epochs,
            seed=seed,
            size=size,
            split=parse_split(split),
            metric=metric,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_joint(terminal, run, as_json=as_json)
