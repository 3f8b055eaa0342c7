"""Tables of an adaptation for the command line, from the same records as its page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from headstart.evidence.label_free import VALIDATORS
from headstart.records import Record
from headstart.report import wording
from headstart.report.sections.adapted import PARTS, left_out
from headstart.report.terminal import TONE

TRANSFER = {
    "helps": "Adapting helps.",
    "neutral": "Adapting is neutral.",
    "hurts": "Adapting hurts.",
    "cannot_tell": "Whether adapting helps cannot be told.",
}


def domains_table(record: Record) -> Group:
    """How many images of each part there are, and what was found in reading them."""
    table = _table("Domains", ["Part"], ["Images"])
    for name, words in PARTS.items():
        if record.detail["parts"][name]:
            table.add_row(words, wording.count(record.detail["parts"][name]))
    return Group(table, *(Text(str(note), style="dim") for note in record.detail["notes"]))


def methods_table(methods: Sequence[Record], verdict: Record, oracle: Sequence[Record]) -> Group:
    """Every method with its validators; what has read the target's labels stands last, under its name."""
    truth = {record.strategy: record.metrics for record in oracle}
    few = any(record.detail["few"] for record in methods)
    numbers = [*VALIDATORS, *(["few"] if few else []), "distance", "time"]
    numbers += ["oracle", "oracle: gain"] if truth else []
    table = _table("Methods", ["Method", ""], numbers)
    for record in methods:
        style = "bold" if record.strategy == verdict.strategy else "dim" if record.detail["baseline"] else ""
        preferred = verdict.detail["votes"].get(record.strategy, [])
        cells = [_score(record.metrics[name], preferred=name in preferred) for name in VALIDATORS]
        cells += [wording.share(record.detail["few"].get("value"))] if few else []
        cells += [wording.decimal(record.metrics["distance"]), wording.seconds(record.cost["seconds"])]
        if truth:
            found = truth.get(record.strategy, {})
            cells += [wording.share(found.get("value")), wording.signed(found.get("gain"))]
        mark = "chosen" if record.strategy == verdict.strategy else "baseline" if record.detail["baseline"] else ""
        table.add_row(*(Text(cell, style=style) for cell in (record.strategy, mark, *cells)))
    notes = ["A star: the validator prefers the method to the source's head."]
    if truth:
        notes.append("Oracle: read from the labels of the judged images after the choice; nothing was chosen by it.")
    return Group(table, *(Text(note, style="dim") for note in notes))


def adapted_lines(verdict: Record, final: Record | None, unknown: Record | None = None) -> list[Text]:
    """The verdict, a line each: what a pipe gets; and, where labels were read, what the model is worth by them.

    Parameters
    ----------
    final, unknown : ``oracle/final`` and ``oracle/left_out``, of a run that has them.
    """
    lines = [Text(str(verdict.detail["sentence"]), style="bold")]
    lines += [Text(f"– {reason}") for reason in verdict.detail["reasons"]]
    word = str(verdict.detail["transfer"])
    lines.append(Text(TRANSFER[word], style=TONE[word]))
    if final is not None:
        n = wording.plural(final.metrics["n"], "judged image")
        gain = wording.points(final.metrics["gain"], final.metrics["gain_low"], final.metrics["gain_high"])
        over = "" if verdict.strategy == "source_only" else f", {gain} over the source's head"
        lines.append(Text(f"Oracle: {wording.estimate(final.metrics)} over {n}{over}."))
    if unknown is not None:
        lines.append(Text(left_out(unknown)))
    return lines


def _score(value: float, *, preferred: bool) -> str:
    return f"{value:.3f}".replace("-", "−") + ("*" if preferred else " ")


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table
