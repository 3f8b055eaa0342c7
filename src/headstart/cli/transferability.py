"""The laboratory's plan, and what it found."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.runs.study.transferability_study import TransferabilityStudy


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


def print_transferability(terminal: Terminal, study: TransferabilityStudy, *, as_json: bool) -> None:
    """The drop at every n and which of the paper's findings hold; of a dry run, its plan."""
    if as_json:
        sys.stdout.write(json.dumps(study.to_json(), ensure_ascii=False) + "\n")
        return
    if study.planned:
        print_plan(terminal, study.plan)
        return
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
