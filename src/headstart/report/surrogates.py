"""The page of a study of surrogate tasks, from its records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.errors import RunError
from headstart.records import Journal
from headstart.report import again
from headstart.report.composing import write_page
from headstart.report.reading import kind_of, read
from headstart.report.sections import repeat, spent, surrogates


def draw_surrogates(folder: Path) -> Path:
    """Draw `folder`/report.html from the records of the study there.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    if kind_of(Path(folder)) != "surrogates":
        raise RunError(f"{folder} holds no study.", "Name the folder that `headstart study surrogates` wrote.")
    journal = Journal(Path(folder) / "records.jsonl")
    run = replace(read(Path(folder)), plan=journal.get("plan"))
    found = (
        ("verdict", "Which surrogate is worth it", surrogates.verdict(run, journal)),
        ("worth", "With how many labels", surrogates.worth(journal)),
        ("depth", "From which cut", surrogates.depth(journal)),
        ("taught", "What each one learned", surrogates.taught(run, journal)),
        ("spent", "What was spent where", spent.section(run)),
        ("repeat", "How to repeat it", repeat.under(run, again.study_surrogates(run.options))),
    )
    return write_page(
        Path(folder),
        found,
        name=Path(str(run.options.get("data") or folder)).name,
        fingerprint="",
        unfinished=run.spent is None,
        words="surrogates_reading.html.j2",
    )
