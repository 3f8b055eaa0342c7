"""The page and the model card of an adaptation, from its records and pictures."""

from __future__ import annotations

from pathlib import Path

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report import wording
from headstart.report.card import PYTHON, SHELL, plain
from headstart.report.composing import write_page
from headstart.report.reading import Run, kind_of
from headstart.report.sections import adapted, spent
from headstart.report.sections.adapted import Told

SECTIONS = (
    ("verdict", "The verdict", adapted.verdict),
    ("methods", "Method by method", adapted.methods),
    ("domains", "The two domains", adapted.domains),
    ("predicted", "What the model says of target images", adapted.predicted),
)
ORACLE = "## Test (oracle)\n\n"


def draw_adaptation(run: Path) -> Path:
    """Draw `run`/report.html from the records and pictures of the adaptation in that folder.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    told = read_adaptation(Path(run))
    as_run = Run(told.folder, plan=told.plan, bundle=told.bundle, spent=told.spent)
    found = (
        *((name, title, section(told)) for name, title, section in SECTIONS),
        ("spent", "What was spent where", spent.section(as_run)),
        ("repeat", "How to repeat it", adapted.repeat(told)),
    )
    return write_page(
        Path(run),
        found,
        name=adapted.name_of(told),
        fingerprint=told.domains.data if told.domains else "",
        unfinished=told.spent is None,
        words="adapt_reading.html.j2",
    )


def read_adaptation(folder: Path) -> Told:
    """The records of the adaptation in `folder`, by what they are asked for.

    Raises
    ------
    RunError : it holds none.
    """
    if kind_of(folder) != "adaptation":
        raise RunError(f"{folder} holds no adaptation.", "Name the folder that `headstart adapt` wrote.")
    journal = Journal(folder / "records.jsonl")
    single = {
        name: journal.get(name)
        for name in ("plan", "domains", "start", "verdict", "final", "examples", "bundle", "spent")
    }
    return Told(
        folder=folder,
        oracle_final=journal.get("oracle/final"),
        left_out=journal.get("oracle/left_out"),
        methods=tuple(journal.of("method")),
        oracle={record.strategy: record for record in journal.of("oracle")},
        **single,
    )


def adaptation_card(run: Path) -> str:
    """The model card of an adaptation, as Markdown."""
    told = read_adaptation(Path(run))
    parts = [_head(told), _classes(told), _made(told), _judged(told), _data(told), _limits(told), _use()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(told: Told) -> str:
    lines = ["# Model card", "An image classifier adapted from one domain to another with headstart."]
    if told.verdict is not None:
        lines.append(f"> {plain(told.verdict.detail['sentence'])}")
    return "\n\n".join(lines)


def _classes(told: Told) -> str:
    names = told.domains.detail["classes"] if told.domains else []
    return f"## Classes ({len(names)})\n\n" + "\n".join(f"- {plain(name)}" for name in names) if names else ""


def _made(told: Told) -> str:
    chosen = told.method(told.chosen)
    if chosen is None:
        return ""
    lines = [
        f"- Method: {plain(chosen.detail['title'])}"
        + (f" ({plain(chosen.detail['paper'])})" * bool(chosen.detail["paper"])),
        f"- A linear head on {plain(wording.place(chosen.backbone, chosen.cut))}, {_below(chosen)}",
        *(f"- {plain(key.capitalize())}: {plain(wording.setting(value))}" for key, value in chosen.recipe.items()),
        f"- On held images of the source it is right in {wording.share(chosen.metrics['kept'])}",
        f"- Seed: {chosen.seed}",
    ]
    return "## How it was made\n\n" + "\n".join(lines)


def _below(chosen: Record) -> str:
    """What became of the network below the head."""
    training = chosen.detail.get("training")
    if training is None:
        return "frozen"
    return "every layer trained" if training["curve"] else "with the target's batch-norm statistics"


def _judged(told: Told) -> str:
    found, unknown = told.oracle_final, plain(adapted.left_out(told.left_out)) if told.left_out else ""
    if found is None and unknown:
        return f"{ORACLE}{unknown}"
    if found is None:
        return (
            "## Test\n\nNothing of the target was tested: its labels were not given. What the verdict rests on: "
            f"{plain(told.verdict.detail['rests_on']) if told.verdict else ''}."
        )
    value = f"{wording.metric(told.metric)} {wording.estimate(found.metrics)}"
    n = wording.plural(found.metrics["n"], "image")
    return f"{ORACLE}On {n} of the target that nothing was adapted to or chosen by: {value}. {unknown}".rstrip()


def _data(told: Told) -> str:
    if told.domains is None:
        return ""
    parts = told.domains.detail["parts"]
    rows = [f"- {adapted.PARTS[name]}: {wording.count(parts[name])}" for name in adapted.PARTS if parts[name]]
    notes = [f"- {plain(note)}" for note in told.domains.detail["notes"]]
    return "## Data\n\n" + "\n".join([*rows, *notes])


def _limits(told: Told) -> str:
    lines = [
        "- It names one of its classes for every image, also for one that shows none of them.",
        "- It is made for images like the target's; on the source it may do worse than before.",
    ]
    return "## Limits\n\n" + "\n".join(lines)


def _use() -> str:
    return f"## How to use it\n\n{SHELL}\n\n{PYTHON}"
