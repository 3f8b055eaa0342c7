"""Tables for the command line, from the same records in the same words as the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from headstart.records import Record
from headstart.report import wording
from headstart.report.comparison import sentences
from headstart.report.reading import difference, total, untried

BAR = 20
"""Characters of a bar for a share of one."""

TONE = {"helps": "green", "hurts": "red", "neutral": "default", "cannot_tell": "yellow"}


def plan_table(record: Record) -> Group:
    """What will be done, and how long it should take."""
    units = record.detail.get("units") or []
    table = _table("Plan", ["Unit of work"], ["Time"])
    for unit in units:
        table.add_row(_said(unit.get("name")), _said(wording.seconds(unit.get("seconds"))))
    table.add_section()
    table.add_row(_said("in all", "bold"), _said(wording.seconds(sum(u.get("seconds") or 0.0 for u in units)), "bold"))
    notes = [str(note) for note in record.detail.get("notes") or []]
    if record.detail.get("budget_s") is not None:
        notes.insert(0, f"Budget: {wording.seconds(record.detail['budget_s'])}.")
    return _noted(table, notes)


def data_table(record: Record) -> Group:
    """Images per class and part, and what is the matter with them."""
    detail = record.detail
    table = _table("Data", ["Class"], ["Training", "Validation", "Test"])
    for name, counts in (detail.get("counts") or {}).items():
        table.add_row(_said(name), *(_said(wording.count(counts.get(p) or 0)) for p in ("train", "val", "test")))
    parts = [wording.count((detail.get("parts") or {}).get(part)) for part in ("train", "val", "test")]
    table.add_section()
    table.add_row(*(_said(cell, "bold") for cell in ("in all", *parts)))
    named = (("broken", "broken"), ("duplicates", "exact duplicates"), ("near_duplicates", "near duplicates"))
    found = [f"{wording.count(record.metrics[key])} {name}" for key, name in named if record.metrics.get(key)]
    listed = (("leaks", "leak"), ("conflicts", "conflict"))
    found += [wording.plural(len(detail[key]), name) for key, name in listed if detail.get(key)]
    problems = [", ".join(found) + "."] if found else []
    return _noted(table, problems + [str(note) for note in detail.get("notes") or []])


def epoch_line(record: Record) -> str:
    """How far a surrogate task has been learned, and what a linear probe reads: nothing is chosen by it."""
    found = record.metrics
    solved = wording.share(found["solved"]) if found["solved"] is not None else wording.MISSING
    told = f"epoch {found['epoch']}: {solved} solved (chance {wording.share(found['chance'])})"
    told += f", probe {wording.share(found['probe'])}" if "probe" in found else ""
    return told + (", features have collapsed" if found["collapsed"] else "")


def rung_table(record: Record) -> Group:
    """One halving: every network's best ridge, its distance from the best, and what becomes of it."""
    networks = record.detail.get("networks") or []
    title = f"{len(networks)} networks on {wording.plural(record.metrics.get('n') or 0, 'image')}, out of fold"
    table = _table(title, ["Network", "Cut"], ["Value", "Against the best"])
    table.add_column("", overflow="fold")
    for one in networks:
        style = "" if one["fate"] == "left" else "dim"
        d = one["to_best"]
        behind = wording.points(d["difference"], d["low"], d["high"]) if d else wording.MISSING
        cells = (one["backbone"], wording.cuts(one["cut"]), wording.estimate(one["metrics"]), behind)
        table.add_row(*(_said(cell, style) for cell in (*cells, wording.FATES[one["fate"]])))
    return _noted(table, [wording.halved([one["fate"] for one in networks])])


def cut_table(records: Iterable[Record]) -> Table:
    """One backbone: ridge at every cut, with a bar."""
    return _probe_table("Every cut of the frozen", [r for r in records if r.detail.get("screen")])


def head_table(records: Iterable[Record]) -> Table:
    """One backbone: the best head at each of the cuts, alone or joined, at which all heads competed."""
    best: dict[str, Record] = {}
    for record in sorted(records, key=lambda r: float(r.metrics.get("value") or 0.0), reverse=True):
        if not record.detail.get("screen"):
            best.setdefault(record.cut, record)
    return _probe_table("The best heads on", list(best.values()))


def _probe_table(title: str, records: Sequence[Record]) -> Table:
    rows = [record for record in records if record.metrics.get("value") is not None]
    best = max(rows, key=lambda record: float(record.metrics["value"]), default=None)
    name = rows[0].backbone if rows else ""
    table = _table(f"{title} {name}, out of fold", ["Cut", "Head", ""], ["Value"])
    for record in rows:
        style = "bold" if record is best else ""
        words = (wording.cuts(record.cut), record.recipe.get("head") or wording.MISSING)
        table.add_row(
            *(_said(word, style) for word in words),
            _bar(record.metrics["value"]),
            _said(wording.estimate(record.metrics), style),
        )
    return table


def candidate_table(records: Sequence[Record], *, verdict: Record | None = None) -> Table:
    """The finalists, best first, controls last; with the verdict also the differences to the chosen."""
    chosen = str(verdict.detail.get("chosen") or "") if verdict else ""
    numbers = ["Value", *(["Against the chosen"] if verdict else []), "Time", "Trained"]
    table = _table("Candidates", ["Candidate", ""], numbers)
    for record in sorted(records, key=lambda r: (r.strategy in wording.CONTROLS, -(r.metrics.get("value") or 0.0))):
        control = record.strategy in wording.CONTROLS
        style = "bold" if record.strategy == chosen else "dim" if control else ""
        name = wording.strategy(record.strategy, str(record.detail.get("title") or ""))
        cells = [wording.estimate(record.metrics)]
        if verdict:
            paired = difference(verdict, record.strategy, chosen)
            cells.append(wording.points(*paired) if paired else wording.MISSING)
        cells.append(wording.seconds(record.cost.get("seconds")))
        cells.append(wording.fraction(record.detail.get("trainable"), record.detail.get("parameters")))
        mark = "chosen" if record.strategy == chosen else "control" if control else ""
        mark = " ".join(filter(None, (mark, "dropped" if record.detail.get("dropped") else "")))
        table.add_row(_said(name, style), _said(mark, style), *(_said(cell, style) for cell in cells))
    return table


def ladder_table(verdict: Record, candidates: Sequence[Record]) -> Table:
    """What each step of the ladder brings over the cheaper one below it, and what it takes."""
    tried = {record.strategy: record for record in candidates}
    table = _table("Steps of the ladder", ["Step", "Over"], ["Gain", "Takes"])
    for step in verdict.detail.get("ladder") or []:
        dearer, cheaper = (tried[step[side]] for side in ("a", "b"))
        named = (wording.strategy(r.strategy, str(r.detail.get("title") or "")) for r in (dearer, cheaper))
        gain = wording.points(step["difference"], step["low"], step["high"])
        table.add_row(*(_said(cell) for cell in (*named, gain, wording.seconds(dearer.cost.get("seconds")))))
    return table


def verdict_panel(
    record: Record,
    test_record: Record | None = None,
    retained: Record | None = None,
    sources: Sequence[Record] = (),
) -> Panel:
    """The sentence, the reasons, the test where it was read, and what earlier runs are to this one, in a frame."""
    title = wording.KINDS.get(str(record.detail.get("kind")), "Verdict")
    lines = Group(*verdict_lines(record, test_record, retained, sources))
    return Panel(lines, title=_said(title, "bold"), title_align="left", padding=(1, 2))


def verdict_lines(
    record: Record,
    test_record: Record | None = None,
    retained: Record | None = None,
    sources: Sequence[Record] = (),
) -> list[Text]:
    """The same, a line each: what a pipe gets."""
    detail = record.detail
    lines = [_said(detail.get("sentence") or "There is no verdict yet.", "bold")]
    lines += [_said(f"– {reason}") for reason in [*(detail.get("reasons") or []), *(detail.get("why") or [])]]
    word = str(detail.get("transfer") or "")
    if word in wording.TRANSFER:
        beside = " beside random features" if untried(record) else ""
        lines.append(_said(f"{wording.TRANSFER[word]}{beside}.", TONE[word]))
    if test_record is not None:
        images = wording.plural(test_record.metrics.get("n") or 0, "image")
        lines.append(_said(f"Test: {wording.estimate(test_record.metrics)} over {images}, read once."))
    if retained is not None:
        lines.append(_said(wording.retained(retained.metrics, retained.detail)))
    lines += [_said(line) for source in sources for line in sentences(source.detail)]
    return lines


def spent_table(record: Record) -> Group:
    """Planned and spent time of every stage, and the totals."""
    table = _table("Time", ["Stage"], ["Planned", "Spent"])
    for stage in record.detail.get("stages") or []:
        times = (wording.seconds(stage.get("planned_s")), wording.seconds(stage.get("spent_s")))
        table.add_row(_said(stage.get("name")), *(_said(time) for time in times))
    budget, spent, peak = (total(record, name) for name in ("budget_s", "total_s", "peak_bytes"))
    table.add_section()
    cells = ("in all, and the budget", wording.seconds(budget), wording.seconds(spent))
    table.add_row(*(_said(cell, "bold") for cell in cells))
    return _noted(table, [] if peak is None else [f"At most {wording.size(peak)} of memory."])


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=_said(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _noted(table: Table, notes: Sequence[str]) -> Group:
    """The notes under the table: a caption would be folded to the table's width."""
    return Group(table, *(_said(note, "dim") for note in notes))


def _bar(share: float) -> Text:
    whole = round(BAR * min(1.0, max(0.0, share)))
    return Text("━" * whole, style="cyan").append("─" * (BAR - whole), style="bright_black")


def _said(words: Any, style: str = "") -> Text:
    """Text that rich does not read as its own markup: a class may be called ``[red]``."""
    return Text(str(words).replace("\x1b", "\ufffd"), style=style)
