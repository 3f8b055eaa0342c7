"""The page of a run: one file, without a network, drawn from its records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headstart.errors import RunError
from headstart.records import writing
from headstart.report.adaptation import draw_adaptation
from headstart.report.comparison import Compared, read_comparison
from headstart.report.composing import compose
from headstart.report.growth import draw_growth
from headstart.report.joint import draw_joint
from headstart.report.pretraining import draw_pretraining
from headstart.report.reading import Run, kind_of, read
from headstart.report.sections import (
    candidates,
    curves,
    data,
    halving,
    mistakes,
    probes,
    repeat,
    source,
    spent,
    tested,
    verdict,
)
from headstart.report.sections import comparison as compared
from headstart.report.surrogates import draw_surrogates
from headstart.report.transferability import draw_transferability

Section = Callable[[Run], dict[str, Any] | None]

SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("verdict", "The verdict", verdict.section),
    ("candidates", "Freeze or fine-tune?", candidates.section),
    ("halving", "Which networks were left", halving.section),
    ("probes", "Where to cut", probes.section),
    ("source", "The source’s images and these", source.section),
    ("curves", "How the training went", curves.section),
    ("tested", "Class by class", tested.section),
    ("mistakes", "The worst mistakes", mistakes.section),
    ("data", "The data’s own problems", data.section),
    ("spent", "What was spent where", spent.section),
    ("repeat", "How to repeat it", repeat.section),
)
"""In the order of the page: the name of the template and the anchor, the heading, what fills it."""

COMPARED: tuple[tuple[str, str, Callable[[Compared], dict[str, Any] | None]], ...] = (
    ("verdict", "The case", compared.verdict.section),
    ("shift", "How far apart the images are", compared.shift.section),
    ("giveaways", "What gives them away", compared.giveaways.section),
    ("classes", "Classes", compared.classes.section),
    ("methods", "Which methods apply", compared.methods.section),
    ("repeat", "How to repeat it", compared.repeat.section),
)
"""The same of a comparison."""

DRAWN: dict[str, Callable[[Path], Path]] = {
    "growth": draw_growth,
    "adaptation": draw_adaptation,
    "joint": draw_joint,
    "pretraining": draw_pretraining,
    "surrogates": draw_surrogates,
    "transferability": draw_transferability,
}
"""By kind of records, what draws them; a `fit` and a comparison are drawn here."""


def draw(run: Path) -> Path:
    """Draw `run`/report.html from the records and the pictures of the run in that folder.

    It needs no image of the data set, and draws an unfinished run as far as it went. Of learning curves there is a
    picture, `run`/curves.svg.

    Returns
    -------
    The path of what was drawn; it is replaced as a whole or not at all.

    Raises
    ------
    RunError : the folder holds no records, a line of them is not a record, or no page is made of such a run.
    StorageError : the page cannot be written.
    """
    folder, kind = Path(run), kind_of(Path(run))
    if kind in DRAWN:
        return DRAWN[kind](folder)
    if kind == "ranking":
        raise RunError(f"{folder} holds a back-test of scores, which has no page.", "Repeat its command: it prints it.")
    page = folder / "report.html"
    content = render_card(read_comparison(folder)) if kind == "comparison" else render(read(folder))
    with writing(page) as temporary:
        # A file name may hold half a surrogate pair, which no encoding of a page can.
        temporary.write_bytes(content.encode("utf-8", "replace"))
    return page


def render(run: Run) -> str:
    """The whole page as text; the same records and pictures give the same text."""
    filled = [_filled(name, title, section(run)) for name, title, section in SECTIONS]
    fingerprint = run.data.data if run.data else ""
    return compose(
        [section for section in filled if section is not None],
        name=_name(run),
        fingerprint=fingerprint,
        unfinished=bool(run.missing),
    )


def render_card(run: Compared) -> str:
    """The page of a comparison as text."""
    filled = [_filled(name, title, section(run)) for name, title, section in COMPARED]
    return compose(
        [section for section in filled if section is not None],
        name=" → ".join(run.names),
        fingerprint=run.fingerprint,
        unfinished=not run.part("verdict"),
        templates="comparison/",
    )


def _filled(name: str, title: str, facts: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if facts is None else {"name": name, "title": title, "facts": facts}


def _name(run: Run) -> str:
    root = str((run.data.detail.get("root") if run.data else None) or run.options.get("data") or run.folder.name)
    return root.replace("\\", "/").rstrip("/").rpartition("/")[2] or root
