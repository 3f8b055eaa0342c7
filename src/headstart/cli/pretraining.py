"""The end of a pretraining, or of a study of surrogate tasks, for people and for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from headstart.cli.show import Terminal

if TYPE_CHECKING:
    from headstart.runs.pretrained import PretrainedRun
    from headstart.runs.study.surrogate_study import SurrogateStudy


def print_pretrained(terminal: Terminal, run: PretrainedRun, *, as_json: bool) -> None:
    """What was learned, what a probe reads at each cut, and the backbone's name; one document with ``--json``."""
    if as_json:
        sys.stdout.write(json.dumps(run.to_json(), ensure_ascii=False) + "\n")
        return
    from rich.table import Table

    from headstart.report import wording

    data, cuts = run.records.get("data"), run.records.get("cuts")
    for note in data.detail["notes"] if data else ():
        terminal.console.print(f"– {note}", markup=False)
    if cuts is not None:
        table = Table(box=None, pad_edge=False)
        table.add_column("cut")
        for title in ("probe before", "after", "gain, points"):
            table.add_column(title, justify="right", no_wrap=True)
        for cut, found in cuts.detail["cuts"].items():
            gain = wording.points(*(found["gain"][end] for end in ("value", "low", "high")))
            table.add_row(cut, wording.estimate(found["before"]), wording.estimate(found["after"]), gain)
        terminal.console.print(table)
    terminal.console.print(f"\n{run.verdict.sentence}", markup=False)
    for reason in run.verdict.reasons:
        terminal.console.print(f"– {reason}", markup=False)
    terminal.console.print(f"As a backbone: {run.backbone}", markup=False)
    terminal.console.print(f"The page: {run.report}", markup=False)


def print_surrogates(terminal: Terminal, study: SurrogateStudy, *, as_json: bool) -> None:
    """Every network with so many labels, which surrogates are worth it, and where the page is."""
    if as_json:
        sys.stdout.write(json.dumps(study.to_json(), ensure_ascii=False) + "\n")
        return
    from rich.table import Table

    from headstart.report import wording

    plan, record = study.records.get("plan"), study.records.get("verdict")
    assert plan is not None and record is not None
    for note in plan.detail["notes"]:
        terminal.console.print(f"– {note}", markup=False)
    for way, by_labels in record.detail["means"].items():
        table = Table(box=None, pad_edge=False)
        table.add_column("probed, labels a class" if way == "probe" else "fine-tuned, labels a class")
        for k in by_labels:
            table.add_column(k, justify="right", no_wrap=True)
        for name in next(iter(by_labels.values())):
            table.add_row(name, *(wording.share(values[name]) for values in by_labels.values()))
        terminal.console.print(table)
    terminal.console.print(f"\n{study.sentence}", markup=False)
    for reason in record.detail["reasons"]:
        terminal.console.print(f"– {reason}", markup=False)
    terminal.console.print(f"The page: {study.report}", markup=False)
