"""`headstart pretrain`, and `study surrogates`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Device, Json, MaxPixels, Out, Size
from headstart.cli.show import Terminal


def pretrain_command(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Images, frames in order, videos, or labelled images: what --by needs."),
    ],
    by: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="supervised, exemplar, rotation, slow, slow_margin, steady, egomotion, equivariance, simclr, vicreg, "
            "barlow_twins.",
        ),
    ],
    out: Out,
    architecture: Annotated[str, typer.Option(help="timm's name; its weights begin as random ones.")] = "resnet10t",
    start: Annotated[str, typer.Option("--from", metavar="BACKBONE", help="Go on from these weights instead.")] = "",
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Labelled images to watch the network on; those it is judged on are not learned from."
        ),
    ] = None,
    poses: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="frame,x,y,z,yaw,pitch,roll or frame,action, for egomotion.")
    ] = None,
    classes: Annotated[int, typer.Option(help="exemplar: pseudo-classes; by default one an image.")] = 0,
    clusters: Annotated[int, typer.Option(help="exemplar: to how many these are put together halfway.")] = 0,
    every: Annotated[int, typer.Option(help="Of a video, each so many-th frame.")] = 1,
    apart: Annotated[int, typer.Option(help="slow: frames between two from which they are distant.")] = 10,
    budget: Annotated[str, typer.Option(help="Time for all of it, like 90s, 8m or 1.5h.")] = "10m",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="By default as many as the budget allows, 200 at most.")
    ] = None,
    seen: Annotated[
        int | None, typer.Option(metavar="N", help="Images to go through instead, every view counted.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the first weights, the order and the views.")] = 0,
    size: Size = 64,
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Images without labels of your task in, a backbone that has learned a surrogate task out."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.pretraining import print_pretrained
        from headstart.runs.pretrain import pretrain

        run = pretrain(
            data,
            out,
            by=by,
            architecture=architecture,
            start=start,
            probe=probe,
            poses=poses,
            classes=classes,
            clusters=clusters,
            every=every,
            apart=apart,
            budget=budget,
            epochs=epochs,
            seen=seen,
            seed=seed,
            size=size,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_pretrained(terminal, run, as_json=as_json)


def study_surrogates_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Unlabelled images, frames or videos.")],
    labels: Annotated[Path, typer.Option(metavar="DIR", help="Labelled images of the task that is meant.")],
    out: Out,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="METHOD", help="As in pretrain; repeatable. By default what DATA give."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="BACKBONE", help="Pretrained ones to compare with; repeatable; none for none of them."),
    ] = None,
    architecture: Annotated[str, typer.Option(help="timm's name.")] = "resnet10t",
    images: Annotated[int, typer.Option(help="That each surrogate goes through, every view counted.")] = 50_000,
    per_class: Annotated[str, typer.Option(help="Labels of a class, with commas between them.")] = "5,10,50",
    finetune: Annotated[bool, typer.Option(help="Fine-tune networks too, and not only probe them.")] = True,
    repeats: Annotated[int, typer.Option(help="Each with its own weights, labels and judged images.")] = 3,
    poses: Annotated[Path | None, typer.Option(metavar="TABLE", help="As in pretrain.")] = None,
    every: Annotated[int, typer.Option(help="Of a video, each so many-th frame.")] = 1,
    apart: Annotated[int, typer.Option(help="slow: frames between two from which they are distant.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the first repeat; each further one has the next.")] = 0,
    size: Size = 64,
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Learn each surrogate task for as long, and see what a few labels make of each network."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.pretraining import print_surrogates
        from headstart.runs.options import parse_counts
        from headstart.runs.study import surrogates

        found = surrogates(
            data,
            out,
            labels=labels,
            by=by or (),
            against=() if against == ["none"] else against or ("packaged/efficientnet_lite0",),
            architecture=architecture,
            images=images,
            per_class=parse_counts(per_class),
            finetune=finetune,
            repeats=repeats,
            poses=poses,
            every=every,
            apart=apart,
            seed=seed,
            size=size,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_surrogates(terminal, found, as_json=as_json)
