"""What is asked of a finished run: `predict`, `report`, `explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import Json, MaxPixels, RunFolder
from headstart.cli.show import Terminal


def predict_command(
    run: RunFolder,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE_OR_DIR...", help="Files, or folders of files.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 1,
    as_csv: Annotated[bool, typer.Option("--csv", help="path,class,probability on stdout.")] = False,
    as_json: Json = False,
    max_pixels: MaxPixels = 64_000_000,
) -> None:
    """Name the classes of images with a run's model; needs nothing but its folder."""
    with Terminal(quiet=as_json or as_csv) as terminal:
        from headstart.bundle import Predictor
        from headstart.cli.tables import print_predictions
        from headstart.problem import read_unlabelled

        predictor = Predictor(run)
        paths = read_unlabelled(images).x.images
        assert isinstance(paths, tuple)
        found = list(predictor.each(paths, top=top, max_pixels=max_pixels, progress=terminal.progress))
        form = "json" if as_json else "csv" if as_csv else "table"
        print_predictions(terminal, found, form=form)


def report_command(run: RunFolder, as_json: Json = False) -> None:
    """(Re)draw the page from a run's records alone."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.report import draw

        terminal.say_path("report", draw(run), as_json=as_json)


def explain_command(run: RunFolder, as_json: Json = False) -> None:
    """What trains, and what stays as it was, in each candidate of a run."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_explained
        from headstart.runs.run import Recorded

        print_explained(terminal, Recorded(run).explain(), as_json=as_json)
