"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[
    Path, typer.Argument(metavar="DIR", help="DIR/<class>/<image>, or a table path,label[,split,group].")
]
Out = Annotated[Path, typer.Option("--out", help="The run's folder; the same command goes on where it was.")]
Budget = Annotated[str, typer.Option(help="Time for the whole run, like 90s, 8m or 1.5h.")]
Backbones = Annotated[
    list[str] | None,
    typer.Option("--backbone", help="A backbone or a glob; repeatable. All packaged ones by default."),
]
EarlierRuns = Annotated[
    list[Path] | None,
    typer.Option("--from", metavar="RUN", help="An earlier run whose model competes as a backbone; repeatable."),
]
StrategyName = Annotated[
    str, typer.Option(help="auto, probe, finetune, every, or rows, e.g. last_block or last_3,all.")
]
Seed = Annotated[int, typer.Option(help="Of the split and of the training.")]
Size = Annotated[int, typer.Option(help="Side of the squares that images are resized to, in pixels.")]
SplitShares = Annotated[str, typer.Option("--split", help="Train/val/test, where the data do not say.")]
MetricName = Annotated[str, typer.Option("--metric", help="accuracy, balanced_accuracy or macro_f1.")]
Margin = Annotated[float, typer.Option(help="Points of the metric that are not worth paying for.")]
ClassWeight = Annotated[str, typer.Option(help="balanced weighs rare classes up in fitting; none does not.")]
Rate = Annotated[str, typer.Option(help="Learning rates: the recipe's, or find: found before each fine-tuning.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Strict = Annotated[bool, typer.Option("--strict", help="Make a broken image an error.")]
MaxPixels = Annotated[int, typer.Option(help="Cap on an image's width x height.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="What the run may take of the machine's memory.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, all else on stderr.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
