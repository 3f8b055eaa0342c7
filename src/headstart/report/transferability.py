"""The page of a study of transferability, from its records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.errors import RunError
from headstart.evidence.transplants import Transplant
from headstart.records import Journal
from headstart.report import again
from headstart.report.composing import write_page
from headstart.report.reading import kind_of, read
from headstart.report.sections import inside, repeat, spent, transferability


def draw_transferability(folder: Path) -> Path:
    """Draw `folder`/report.html from the records of the study there.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    if kind_of(Path(folder)) != "transferability":
        raise RunError(
            f"{folder} holds no laboratory.", "Name the folder that `headstart study transferability` wrote."
        )
    journal = Journal(Path(folder) / "records.jsonl")
    run = replace(read(Path(folder)), plan=journal.get("plan"), data=journal.get("data"))
    kinds = dict.fromkeys(record.strategy for record in journal.of("halves"))
    cells = {kind: transplants(journal, kind) for kind in kinds}
    found = (
        ("verdict", "How transferable are these features?", transferability.verdict(run, journal)),
        ("effects", "What is lost and gained by keeping layers", transferability.effects(cells)),
        ("findings", "Finding by finding", transferability.findings(run)),
        ("drops", "The drop, taken apart", transferability.drops(run)),
        ("few_labels", "With fewer labels", transferability.few_labels(run)),
        ("responds", "What the layers respond to", inside.responds(Path(folder), journal)),
        ("inside", "Features by depth", inside.depth(journal)),
        ("halves", "The two tasks", transferability.halves(run, journal)),
        ("bases", "How the bases learned", transferability.bases(run, journal)),
        ("spent", "What was spent where", spent.section(run)),
        ("repeat", "How to repeat it", repeat.under(run, again.study_transferability(run.options))),
    )
    return write_page(
        Path(folder),
        found,
        name=Path(str(run.options.get("data") or folder)).name,
        fingerprint=run.data.data if run.data else "",
        unfinished=run.spent is None,
        words="transferability_reading.html.j2",
    )


def transplants(journal: Journal, kind: str, *, labels: int = 0) -> list[Transplant]:
    """The networks of one kind of split and so many labels a class, each beside the base of its own half."""
    own = [r for r in journal.of("cell") if (r.detail["kind"], r.detail["labels"]) == (kind, labels)]
    bases = {(r.seed, r.detail["target"]): r.metrics["value"] for r in own if not r.detail["n"]}
    return [
        Transplant(r.seed, r.detail["target"], r.strategy, r.detail["n"], r.metrics["value"], bases[key])
        for r in own
        if r.detail["n"] and (key := (r.seed, r.detail["target"])) in bases
    ]
