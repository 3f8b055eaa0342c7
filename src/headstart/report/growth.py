"""Learning curves of a run as one picture, from its records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from headstart.errors import RunError
from headstart.records import Journal, Record, writing
from headstart.report.charts import WIDE
from headstart.report.charts.sizes import Growing, SizePoint, lines_by_size

STYLE = """
:root { --paper: #fcfcfa; --ink: #1b1f24; --ink-2: #59616b; --rule: #dcdcd6; --faint: #eeeeea;
  --c0: #0f6cb8; --c1: #d1540a; --c2: #0a8560; --c3: #a8467f; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e8eaed; --ink-2: #a7aeb8; --rule: #30363e;
  --faint: #23282e; --c0: #5aaef2; --c1: #ff9761; --c2: #3cc79a; --c3: #e79bcb; } }
.chart { font: 12px system-ui, sans-serif; background: var(--paper); }
text { fill: var(--ink); } .tick { fill: var(--ink-2); font-size: 11px; } .row { font-size: 13px; }
.grid { stroke: var(--faint); } .axis { stroke: var(--rule); } .whisker { stroke-width: 2; stroke-linecap: round; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
"""
"""A picture that stands alone brings what the page's style sheet says of charts."""


def draw_growth(run: Path) -> Path:
    """Draw `run`/curves.svg from the record ``labels`` of the run in that folder.

    Raises
    ------
    RunError : the folder holds no such record.
    StorageError : the picture cannot be written.
    """
    record = Journal(Path(run) / "records.jsonl").get("labels")
    if record is None:
        raise RunError(f"{run} holds no finished curves.", "Repeat the same `headstart labels`: it goes on.")
    drawn = lines_by_size(series(record), name="curves", title="Accuracy by number of labels", width=WIDE)
    head, separator, rest = str(drawn).partition(">")
    head = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    path = Path(run) / "curves.svg"
    with writing(path) as temporary:
        temporary.write_text(f"{head}{separator}<style>{Markup.escape(STYLE)}</style>{rest}\n", encoding="utf-8")
    return path


def series(record: Record) -> list[Growing]:
    """The curves that a record ``labels`` holds: the frozen network, its control, and what was trained."""
    found = record.detail
    curves = [
        _growing(f"{one['backbone']}, frozen, read at {one['cut']}", found["sizes"], one["points"])
        for one in (found["transferred"], found["control"])
    ]
    trained = found["trained"]["curves"] if found.get("trained") else []
    return curves + [_growing(one["title"], one["sizes"], one["points"]) for one in trained]


def _growing(name: str, sizes: Sequence[int], points: Sequence[dict[str, Any]]) -> Growing:
    placed = zip(sizes, points, strict=True)
    return Growing(name, tuple(SizePoint(n, p["value"], p["low"], p["high"]) for n, p in placed))
