"""The page of a study of surrogate tasks, from its records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.errors import RunError
from headstart.records import Journal, writing
from headstart.report.composing import compose
from headstart.report.reading import read
from headstart.report.sections import repeat, spent, surrogates


def holds_surrogates(folder: Path) -> bool:
    """Whether the folder is that of such a study."""
    plan = Journal(folder / "records.jsonl").get("plan")
    return plan is not None and plan.what == "surrogates"


def draw_surrogates(folder: Path) -> Path:
    """Draw `folder`/report.html from the records of the study there.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    if not holds_surrogates(Path(folder)):
        raise RunError(f"{folder} holds no study.", "Name the folder that `headstart study surrogates` wrote.")
    journal = Journal(Path(folder) / "records.jsonl")
    run = replace(read(Path(folder)), plan=journal.get("plan"))
    found = (
        ("verdict", "Which surrogate is worth it", surrogates.verdict(run, journal)),
        ("worth", "With how many labels", surrogates.worth(journal)),
        ("depth", "From which cut", surrogates.depth(journal)),
        ("taught", "What each one learned", surrogates.taught(journal)),
        ("spent", "What was spent where", spent.section(run)),
        ("repeat", "How to repeat it", surrogates.repeated(run, repeat.section(run))),
    )
    page = Path(folder) / "report.html"
    content = compose(
        [{"name": name, "title": title, "facts": facts} for name, title, facts in found if facts is not None],
        name=Path(str(run.options.get("data") or folder)).name,
        fingerprint="",
        unfinished=run.spent is None,
        words="surrogates_reading.html.j2",
    )
    with writing(page) as temporary:
        temporary.write_bytes(content.encode("utf-8", "replace"))
    return page
