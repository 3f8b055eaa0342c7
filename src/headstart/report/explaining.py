"""What trains, and what stays as it was, in each model of a run: `headstart explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

from headstart.errors import RunError
from headstart.records import Record
from headstart.report.reading import kind_of, read

FITTED = "fitted"


class Explained(TypedDict):
    """One model: `parts` run from the image to the head, with numbers in parameters and buffers (see `state_of`).

    `blocks` say, one a replicate, which block was chosen to train and by which relative gradient norms; parts are
    those of the first.
    `note` says what these do not: which layers low-rank adapters stand beside.
    """

    strategy: str
    title: str
    backbone: str
    chosen: bool
    parts: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    note: str


UNEXPLAINED = {
    "adaptation": "an adaptation, whose records do not say what trained part by part",
    "comparison": "a comparison: nothing trained in it",
    "growth": "learning curves: their networks trained as the row of `labels --strategy` says",
    "pretraining": "a pretraining: everything in the network trained, and nothing else",
    "ranking": "a back-test of scores: every network trained as the row of `--strategy` says",
    "surrogates": "a study of surrogates, whose networks trained whole before they were probed",
    "transferability": "a study of transferability: its treatments say what trained below and above each cut",
}
"""By kind of records, why there is no such table."""


def explain(folder: Path) -> list[Explained]:
    """Every candidate of the run in `folder`, from its records alone; the one that is handed back is `chosen`.

    Raises
    ------
    RunError : there are no records, no candidates yet, it is a run of another kind, or this was not recorded yet.
    """
    if (said := UNEXPLAINED.get(kind_of(Path(folder)))) is not None:
        raise RunError(f"{folder} holds {said}.", "What was done, and what came of it, stands in its records.jsonl.")
    run = read(folder)
    if not run.candidates:
        raise RunError(f"{folder} holds no candidate yet.", "Repeat the same `fit`: it goes on where it was.")
    if any("parts" not in record.detail for record in run.candidates):
        fact = f"The records of {folder} do not say what trained: an earlier headstart wrote them."
        raise RunError(fact, "Fit anew into another folder.")
    return [_explained(record, chosen=record.strategy == run.chosen) for record in run.candidates]


def _explained(record: Record, *, chosen: bool) -> Explained:
    parts = [part | {"state": state_of(part)} for part in record.detail["parts"]]
    title = str(record.detail.get("title") or record.strategy)
    return Explained(
        strategy=record.strategy,
        title=title,
        backbone=record.backbone,
        chosen=chosen,
        parts=parts,
        blocks=record.detail.get("blocks", []),
        note=str(record.detail.get("note") or ""),
    )


def state_of(part: dict[str, Any]) -> str:
    """In a word or two, what happens to a part of a network.

    >>> state_of({"cut": "stem", "parameters": 9, "training": 0, "buffers": 2, "moving": 0})
    'frozen'
    >>> state_of({"cut": "top", "parameters": 9, "training": 3, "buffers": 2, "moving": 0})
    '3 of 9 train, statistics kept'
    """
    training, parameters = part["training"], part["parameters"]
    if part["cut"] == "head" and not training:
        return FITTED
    if not parameters and not part["buffers"]:
        return "nothing to train"
    if not training:
        return "frozen" if not part["moving"] else "statistics move"
    much = "trains" if training == parameters else f"{training:,} of {parameters:,} train"
    kept = ", statistics kept" if part["buffers"] and not part["moving"] else ""
    return f"{much}{kept}"
