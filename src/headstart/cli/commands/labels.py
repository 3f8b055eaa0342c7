"""`headstart labels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Json, Size
from headstart.cli.show import Terminal


def labels_command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Labelled images, as fit takes them.")],
    backbone: Annotated[str, typer.Option(help="What is frozen.")] = "packaged/efficientnet_lite0",
    size: Size = 128,
    seed: Annotated[int, typer.Option(help="Of the split and of the draws.")] = 0,
    more: Annotated[int, typer.Option(help="Further labels to forecast.")] = 200,
    replicates: Annotated[int, typer.Option(help="Curves that are measured; 1 gives no interval.")] = 10,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Fine-tune, and train from scratch, at some sizes; needs --out.")
    ] = False,
    strategy: Annotated[str, typer.Option(help="With --finetune: the row that is fine-tuned.")] = "all",
    out: Annotated[
        Path | None, typer.Option("--out", help="With --finetune: its folder; the same command goes on there.")
    ] = None,
    budget: Annotated[str, typer.Option(help="With --finetune: time for all of it, like 90s, 8m or 1.5h.")] = "8m",
    as_json: Json = False,
) -> None:
    """How accuracy grows with the number of labels, and what more of them would bring."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.growth import print_labels
        from headstart.runs.labels import labels

        found = labels(
            data,
            backbone=backbone,
            size=size,
            seed=seed,
            more=more,
            replicates=replicates,
            finetune=finetune,
            strategy=strategy,
            out=out,
            budget=budget,
            progress=terminal.progress,
        )
        print_labels(terminal, found, as_json=as_json)
