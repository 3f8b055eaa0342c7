"""`headstart`: the commands. Nothing heavy is imported before it is needed, so that --help is quick."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import typer

from headstart.cli.commands.adapt import adapt_command
from headstart.cli.commands.cache import cache_command, prune_command, verify_command
from headstart.cli.commands.compare import compare_command
from headstart.cli.commands.fit import demo_command, fit_command
from headstart.cli.commands.joint import joint_command
from headstart.cli.commands.labels import labels_command
from headstart.cli.commands.pretrain import pretrain_command, study_surrogates_command
from headstart.cli.commands.rank import backbones_command, rank_command, study_ranking_command
from headstart.cli.commands.run import explain_command, predict_command, report_command
from headstart.cli.commands.transferability import study_transferability_command
from headstart.cli.show import INTERRUPTED

app = typer.Typer(
    name="headstart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Put to work, on your own small data, what networks have already learned.",
)
app.command("fit")(fit_command)
app.command("predict")(predict_command)
app.command("adapt")(adapt_command)
app.command("joint")(joint_command)
app.command("pretrain")(pretrain_command)
app.command("rank")(rank_command)
app.command("report")(report_command)
app.command("explain")(explain_command)
app.command("labels")(labels_command)
app.command("compare")(compare_command)
app.command("backbones")(backbones_command)
app.command("demo")(demo_command)

cache = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help="What is kept between runs.")
cache.callback()(cache_command)
cache.command("prune")(prune_command)
cache.command("verify")(verify_command)
app.add_typer(cache, name="cache")

study = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What headstart's answers are worth here.")
study.command("ranking")(study_ranking_command)
study.command("surrogates")(study_surrogates_command)
study.command("transferability")(study_transferability_command)
app.add_typer(study, name="study")


def main() -> None:
    """Run the command line; exit 0 well, 2 a user's mistake, 1 our own fault, 130 interrupted."""
    try:
        app()
    except SystemExit as done:
        if done.code != INTERRUPTED:
            raise
        # Once a stopped run ended in a fault of memory (-11). Threads of libraries may still be at work where Python is
        # taken down; what is unwound by here needs no more of it.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(INTERRUPTED)
