"""Sections put together to one page, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from headstart.records import writing


def compose(
    sections: Sequence[Mapping[str, Any]],
    *,
    name: str,
    fingerprint: str,
    unfinished: bool,
    templates: str = "",
    words: str = "reading.html.j2",
) -> str:
    """The whole page as text; the same sections give the same text.

    Parameters
    ----------
    sections : ``name`` (of the template and of the anchor), ``title`` and ``facts`` of each; the verdict comes first.
    templates : the folder that the sections' templates stand in, with a slash at its end.
    words : the template there that says how to read the page.
    """
    environment = _environment()
    script = environment.get_template("page.js").render()
    return environment.get_template("page.html.j2").render(
        sections=sections,
        name=name,
        fingerprint=fingerprint,
        unfinished=unfinished,
        templates=templates,
        words=templates + words,
        script=Markup(script),
        # Names of classes and files are foreign text: should one ever get past the escaping, it still cannot run.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write_page(
    folder: Path,
    found: Iterable[tuple[str, str, Mapping[str, Any] | None]],
    *,
    name: str,
    fingerprint: str,
    unfinished: bool,
    words: str,
) -> Path:
    """Write `folder`/report.html as a whole or not at all.

    Parameters
    ----------
    found : name, title and facts of each section; those without facts are left out.
    name, fingerprint, unfinished, words : as of `compose`.

    Raises
    ------
    StorageError : it cannot be written.
    """
    sections = [{"name": name, "title": title, "facts": facts} for name, title, facts in found if facts is not None]
    content = compose(sections, name=name, fingerprint=fingerprint, unfinished=unfinished, words=words)
    page = folder / "report.html"
    with writing(page) as temporary:
        # A file name may hold half a surrogate pair, which no encoding of a page can.
        temporary.write_bytes(content.encode("utf-8", "replace"))
    return page


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("headstart.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
