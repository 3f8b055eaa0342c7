"""`headstart compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Device, Json, MaxPixels, Size
from headstart.cli.show import Terminal


def compare_command(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="DIR/<class>/<image>, a folder of images, or a table.")
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The same of the target; labels are not needed.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page; the same command goes on there.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Whose features are compared.")] = "packaged/efficientnet_lite0",
    tolerance: Annotated[float, typer.Option(help="Points above chance that still count as the same.")] = 5.0,
    pairs: Annotated[str, typer.Option(help="Equal file names are one thing in both: auto, names or none.")] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="A class of the source by the target's name; repeatable."),
    ] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Read no labels of the target.")] = False,
    seed: Annotated[int, typer.Option(help="Of the draws, the folds and the permutations.")] = 0,
    size: Size = 128,
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """How two domains differ, by size and with intervals; the case named, and the methods that apply."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.comparison import parse_mapping, print_card
        from headstart.runs.compare import compare

        card = compare(
            source,
            target,
            backbone=backbone,
            tolerance=tolerance,
            pairs=pairs,
            mapping=parse_mapping(mapping or ()),
            target_labels=not unlabelled,
            out=out,
            seed=seed,
            size=size,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
        )
        print_card(terminal, card, as_json=as_json)
