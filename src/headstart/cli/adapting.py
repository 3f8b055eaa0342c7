"""The end of an adaptation, for people and for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.runs.adapted import AdaptedRun


def print_adapted(terminal: Terminal, run: AdaptedRun, *, as_json: bool) -> None:
    """The methods, the verdict and where the page is; one document with ``--json``."""
    if as_json:
        sys.stdout.write(json.dumps(run.to_json(), ensure_ascii=False) + "\n")
        return
    from rich.console import Group
    from rich.panel import Panel

    from headstart.report.adapted_terminal import adapted_lines, methods_table

    verdict, oracle = run.records.get("verdict"), run.records.of("oracle")
    assert verdict is not None
    lines = adapted_lines(verdict, run.records.get("oracle/final"), run.records.get("oracle/left_out"))
    if terminal.tables:
        terminal.console.print(methods_table(run.records.of("method"), verdict, oracle))
        terminal.console.print(Panel(Group(*lines), title="Verdict", title_align="left", padding=(1, 2)))
    else:
        for line in lines:
            terminal.console.print(line)
    terminal.console.print(f"The page: {run.report}")
