"""`headstart study transferability`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headstart.cli.options import Budget, Device, Images, Json, MaxPixels, Out, Seed, Size
from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.records import Record


def study_transferability_command(
    data: Images,
    out: Out,
    backbone: Annotated[
        str, typer.Option(metavar="ARCH", help="plain_alexnet, plain_vgg, or timm's name; from random weights.")
    ] = "plain_alexnet",
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="random, dissimilar, similar, names, or a table class,half; repeatable."),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="K", help="Replicates. With fewer than three, nothing is shown.")] = 5,
    cut: Annotated[
        list[str] | None, typer.Option(metavar="CUT", help="Where to cut; repeatable. Everywhere by default.")
    ] = None,
    labels: Annotated[
        str, typer.Option(metavar="N,N", help="Learn the target half with so many labels of a class, too.")
    ] = "",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="By default as many as the budget allows, 40 at most.")
    ] = None,
    budget: Budget = "60m",
    reference: Annotated[
        str, typer.Option(metavar="BACKBONE", help="Its features say which classes are alike.")
    ] = "packaged/efficientnet_lite0",
    jobs: Annotated[int, typer.Option(help="Networks trained at a time, on a thread each; 0: one a core.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and what it takes; train nothing.")] = False,
    seed: Seed = 0,
    size: Size = 32,
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """How transferable are features? Yosinski et al. 2014 on your own images and network."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.transferability import print_transferability
        from headstart.runs.options import parse_counts
        from headstart.runs.study import transferability

        found = transferability(
            data,
            out,
            architecture=backbone,
            splits=split or ("random", "dissimilar"),
            seeds=seeds,
            cuts=cut or (),
            labels=parse_counts(labels) if labels else (),
            epochs=epochs,
            budget=budget,
            reference=reference,
            jobs=jobs,
            dry_run=dry_run,
            seed=seed,
            size=size,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=lambda record: _planned(terminal, record),
        )
        print_transferability(terminal, found, as_json=as_json)


def _planned(terminal: Terminal, record: Record) -> None:
    """The plan on a terminal, before anything is trained."""
    if record.key == "plan" and terminal.tables:
        from headstart.cli.transferability import print_plan

        print_plan(terminal, record.detail)
