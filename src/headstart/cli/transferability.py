"""`headstart study transferability`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headstart.cli.options import Budget, Device, Images, Json, MaxPixels, Out, Seed, Size
from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.records import Record
    from headstart.runs.study.transferability_study import TransferabilityStudy


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
        if as_json:
            sys.stdout.write(json.dumps(found.to_json(), ensure_ascii=False) + "\n")
        elif dry_run:
            print_plan(terminal, found.plan)
        else:
            print_transferability(terminal, found)


def _planned(terminal: Terminal, record: Record) -> None:
    """The plan on a terminal, before anything is trained."""
    if record.key == "plan" and terminal.tables:
        print_plan(terminal, record.detail)


def print_plan(terminal: Terminal, plan: dict[str, Any]) -> None:
    """Which networks are trained, and how long that takes."""
    from rich.table import Table

    from headstart.report import wording

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    facts = [
        ("halves", ", ".join(plan["splits"])),
        ("seeds", ", ".join(map(str, plan["seeds"]))),
        ("labels a class", ", ".join([*map(str, plan["labels"]), "all"])),
        ("cuts", ", ".join(plan["cuts"])),
        ("epochs of each network", str(plan["epochs"])),
        *((unit["name"], wording.seconds(unit["seconds"])) for unit in plan["units"]),
        ("in all", wording.seconds(sum(plan["seconds"].values()))),
        ("networks", wording.count(sum(plan["networks"].values()))),
    ]
    for name, value in facts:
        table.add_row(name, value)
    terminal.console.print(table)
    for note in plan["notes"]:
        terminal.console.print(f"– {note}", markup=False)


def print_transferability(terminal: Terminal, study: TransferabilityStudy) -> None:
    """The drop at every n, and which of the paper's findings hold."""
    from rich.table import Table

    from headstart.report import wording
    from headstart.report.sections.transferability import PARTS

    record = study.records.get("verdict")
    assert record is not None
    for note in study.plan["notes"]:
        terminal.console.print(f"– {note}", markup=False)
    for kind, by_labels in record.detail["parts"].items():
        table = Table(box=None, pad_edge=False)
        table.add_column(f"{kind}, n", justify="right")
        for _, title, _ in PARTS:
            table.add_column(title, justify="right", no_wrap=True)
        for drop in by_labels["0"]["drops"]:
            values = [(drop[name] or {}).get("value") for name, *_ in PARTS]
            table.add_row(str(drop["n"]), *map(wording.signed, values))
        terminal.console.print(table)
    terminal.console.print(f"\n{study.sentence}", markup=False)
    for reason in record.detail["reasons"]:
        terminal.console.print(f"– {reason}", markup=False)
    terminal.console.print(f"The page: {study.report}", markup=False)
