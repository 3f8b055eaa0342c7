"""The problem card as a table and sentences, and as one document."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from headstart.cli.show import Terminal
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.advice.answers import Answer
    from headstart.runs.compared import Card, Use

TONES = {"same": "green", "different": "red", "cannot tell": "yellow", "unknown": "default"}
SAID = {
    "applies": "Apply",
    "assumes": "Apply, on an assumption that is not shown",
    "restricted": "In part",
    "idle": "Nothing to do",
    "refused": "Do not apply",
}


def print_card(terminal: Terminal, card: Card, *, as_json: bool) -> None:
    """The case, the five answers, and the methods by what is ruled on them."""
    if as_json:
        sys.stdout.write(json.dumps(card.to_json(), ensure_ascii=False) + "\n")
        return
    table = Table(
        *(Column(name, overflow="fold") for name in ("question", "answer", "points (95 % interval)")),
        box=None,
        pad_edge=False,
    )
    for answer in card.verdict.answers:
        tone = TONES[answer.judgement]
        table.add_row(answer.question, Text(answer.judgement, style=tone), _size(answer))
    terminal.console.print(card.case.sentence, style="bold", markup=False)
    terminal.console.print("", table, "", sep="\n")
    lines = [answer.sentence for answer in card.verdict.answers]
    for line in [*lines, "", card.case.disagreement, "", *_methods(card.verdict.methods), *_notes(card)]:
        terminal.console.print(line, markup=False)


def parse_mapping(words: Sequence[str]) -> dict[str, str]:
    """``["Cats=cat"]`` → ``{"Cats": "cat"}``.

    >>> parse_mapping(["Cats=cat", "a=b=c"])
    {'Cats': 'cat', 'a': 'b=c'}

    Raises
    ------
    OptionError : a word without the sign, or a class twice.
    """
    found: dict[str, str] = {}
    for word in words:
        old, sign, new = word.partition("=")
        if not (old and sign and new) or old in found:
            raise OptionError(
                f"{word!r} does not map one class to another.", "Write it like --map Cats=cat, each once."
            )
        found[old] = new
    return found


def _size(answer: Answer) -> str:
    if answer.value is None:
        return ""
    said = f"{100 * answer.value:+.1f}"
    if answer.low is not None and answer.high is not None:
        said += f" ({100 * answer.low:+.1f} to {100 * answer.high:+.1f})"
    return said.replace("-", "−")


def _methods(methods: Sequence[Use]) -> list[str]:
    """One line for each ruling and reason, so that methods with one reason stand together."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in methods:
        together[one.verdict, "; ".join(one.reasons)].append(one.title)
    return [
        f"{SAID[verdict]}: {', '.join(titles)}{f' ({why})' if why else ''}."
        for (verdict, why), titles in together.items()
    ]


def _notes(card: Card) -> list[str]:
    told = [f"{card.spaces.pairs:,} groups of images reach across both domains."] if card.spaces.pairs else []
    for side in (card.spaces.source, card.spaces.target):
        if side.broken:
            told.append(
                f"{side.broken:,} of {side.images:,} images of {side.name} could not be read and were left out."
            )
    told += card.spaces.notes
    told += [f"The page: {card.report}"] if card.report else []
    return ["", *told] if told else []
