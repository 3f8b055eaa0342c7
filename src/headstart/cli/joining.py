"""The end of a run over several tasks, for people and for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.runs.joined import JointRun


def print_joint(terminal: Terminal, run: JointRun, *, as_json: bool) -> None:
    """Every task under every way, the verdict and where the page is; one document with ``--json``."""
    if as_json:
        sys.stdout.write(json.dumps(run.to_json(), ensure_ascii=False) + "\n")
        return
    from rich.table import Table

    from headstart.report import wording

    table = Table(box=None, pad_edge=False)
    for title in ("task", "way"):
        table.add_column(title, overflow="fold")
    table.add_column("validation", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for record in run.records.of("candidate"):
        way = record.strategy.partition("/")[0]
        marked = f"{way} (handed back)" if way == run.verdict.chosen else way
        for one in record.detail["tasks"]:
            table.add_row(one["task"], marked, wording.estimate(one), wording.seconds(record.cost["seconds"]))
    terminal.console.print(table)
    terminal.console.print(f"\n{run.verdict.sentence}", markup=False)
    for reason in run.verdict.reasons:
        terminal.console.print(f"– {reason}", markup=False)
    for task, found in run.metrics.items():
        terminal.console.print(f"Test, {task}: {wording.estimate(found)}, read once.", markup=False)
    terminal.console.print(f"The page: {run.report}")
