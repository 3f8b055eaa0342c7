"""`headstart backbones`, `rank`, and its back-test, `study ranking`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.cli.options import Backbones, Budget, Device, Images, Json, MaxPixels, Out, Size, SplitShares
from headstart.cli.show import Terminal


def backbones_command(as_json: Json = False) -> None:
    """What can be transferred from, and whether its weights are at hand."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.backbones import names
        from headstart.cli.tables import print_backbones

        print_backbones(terminal, names(), as_json=as_json)


def rank_command(
    data: Images,
    backbone: Backbones = None,
    scores: Annotated[
        str, typer.Option(help="Names with commas between them, like loo_ridge,logme, or all.")
    ] = "loo_ridge",
    seed: Annotated[int, typer.Option(help="Of the split and of the resampling.")] = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Which network to start from: backbones in order, scored on training images without fine-tuning."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_ranked
        from headstart.runs.options import parse_split
        from headstart.runs.ranking import rank

        ranked = rank(
            data,
            backbones=backbone or (),
            scores=[name.strip() for name in scores.split(",")],
            seed=seed,
            size=size,
            split=parse_split(split),
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
        )
        print_ranked(terminal, ranked, as_json=as_json)


def study_ranking_command(
    data: Images,
    out: Out,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="A backbone or a glob; repeatable. All packaged ones and a random one by default."),
    ] = None,
    strategy: Annotated[str, typer.Option(help="How all are fine-tuned: one row, e.g. last_block.")] = "all",
    budget: Budget = "20m",
    repeats: Annotated[int, typer.Option(help="Splits on which everything is done anew.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the first split and training; each further one has the next.")] = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Back-test the scores of rank against real fine-tuning: which of them would have chosen well."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_backtested
        from headstart.runs.options import parse_split
        from headstart.runs.study import ranking

        found = ranking(
            data,
            out,
            backbones=backbone or (),
            strategy=strategy,
            budget=budget,
            repeats=repeats,
            seed=seed,
            size=size,
            split=parse_split(split),
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_backtested(terminal, found, as_json=as_json)
