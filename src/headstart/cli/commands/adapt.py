"""`headstart adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Device, Json, MaxPixels, Out, Size, Strict
from headstart.cli.show import Terminal


def adapt_command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Labelled images, as fit takes them.")],
    to: Annotated[Path, typer.Option("--to", metavar="TARGET", help="Any folder of images, flat or by class.")],
    out: Out,
    labels: Annotated[
        int, typer.Option(metavar="K", help="Labelled target images of each class that may be used.")
    ] = 0,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Read the judged target images' labels in the end, only to report.")
    ] = False,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A method, e.g. coral, dan or shot; repeatable. auto: all on stored features, then DAN; features: "
            "without it; trained: all that train.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Of each training; by default 8 to 16, fewer of more images.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Whose features are adapted.")] = "packaged/efficientnet_lite0",
    pairs: Annotated[
        str, typer.Option(help="Images of one item in both domains: auto, names (equal file names), none.")
    ] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="A class of the source by the target's name; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the splits, and of whatever is drawn.")] = 0,
    size: Size = 128,
    metric: Annotated[str, typer.Option("--metric", help="accuracy, balanced_accuracy or macro_f1.")] = "accuracy",
    margin: Annotated[float, typer.Option(help="Points of the metric below which nothing differs.")] = 0.5,
    device: Device = "auto",
    strict: Strict = False,
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """A labelled source and images of another domain in, an adapted model and the evidence out."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.adapting import print_adapted
        from headstart.cli.comparison import parse_mapping
        from headstart.runs.adapt import adapt

        run = adapt(
            source,
            to,
            out,
            labels=labels,
            oracle=oracle,
            methods=method or ("auto",),
            epochs=epochs,
            backbone=backbone,
            pairs=pairs,
            mapping=parse_mapping(mapping or ()),
            seed=seed,
            size=size,
            metric=metric,
            margin=margin,
            device=device,
            strict=strict,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_adapted(terminal, run, as_json=as_json)
