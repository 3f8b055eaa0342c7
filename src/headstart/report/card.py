"""The model card: what the run's README says of the model, from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from headstart.report import again, wording
from headstart.report.charts.svg import clean
from headstart.report.comparison import sentences
from headstart.report.reading import Run, block_of, read

MOST_CLASSES = 60


def model_card(run: Path) -> str:
    """The model card of the run in that folder, as Markdown.

    Raises
    ------
    RunError : the folder holds no records, or a line of them is not a record.
    """
    told = read(Path(run))
    sections = (_head, _classes, _trained, _tested, _data, _sources, _limits, _use)
    parts = [section(told) for section in sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: object) -> str:
    r"""`text` such that Markdown and the HTML in it show it as it is: names of classes are foreign text.

    >>> plain("a|b <script> *c*")
    'a\\|b &lt;script&gt; \\*c\\*'
    """
    flat = " ".join(clean(str(text)).split())
    for special in "\\`*_[]|#!~":
        flat = flat.replace(special, "\\" + special)
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _head(run: Run) -> str:
    record = run.final or next((r for r in run.candidates if r.strategy == run.chosen), None)
    what = "An image classifier made with headstart"
    if record is not None:
        title = wording.strategy(record.strategy, run.title(record.strategy))
        what += f": {plain(wording.place(record.backbone, record.cut))} ({plain(title)})"
    lines = ["# Model card", what + "."]
    if run.missing:
        lines.append(f"**This run is not finished.** Not measured yet: {', '.join(run.missing)}.")
    if run.verdict and run.verdict.detail.get("sentence"):
        lines.append(f"> {plain(run.verdict.detail['sentence'])}")
    return "\n\n".join(lines)


def _classes(run: Run) -> str:
    found = run.test or run.data
    names = [plain(name) for name in (found.detail.get("classes") or [])] if found else []
    if not names:
        return ""
    shown = "\n".join(f"- {name}" for name in names[:MOST_CLASSES])
    more = f"\n- … and {len(names) - MOST_CLASSES} more" if len(names) > MOST_CLASSES else ""
    return f"## Classes ({len(names)})\n\n{shown}{more}"


def _trained(run: Run) -> str:
    if run.final is None:
        return ""
    final, lines = run.final, []
    lines.append(f"- Backbone: {plain(final.backbone)}")
    kept = wording.kept(final.strategy, final.cut, block_of(final))
    lines.append(f"- {plain(kept[:1].upper() + kept[1:])}")
    lines += [
        f"- {plain(name.replace('_', ' ').capitalize())}: {plain(wording.setting(value))}"
        for name, value in final.recipe.items()
    ]
    if final.detail.get("refit"):
        lines.append("- Trained anew on the training and validation parts together")
    lines.append(f"- Seed: {run.options.get('seed', final.seed)}")
    licence = (
        "The backbone's weights were trained by others and come under a licence of their own; "
        "the records of this run do not hold it."
    )
    return "## How it was trained\n\n" + "\n".join(lines) + f"\n\n**Licence.** {licence}"


def _tested(run: Run) -> str:
    if run.test is None:
        return ""
    metrics = run.test.metrics
    rows = [[f"**{wording.metric(run.metric)}** (95 % interval)", f"**{wording.estimate(metrics)}**"]]
    rows += [
        [wording.metric(name), wording.share(metrics[name])]
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "calibration_error")
        if metrics.get(name) is not None and name != run.metric
    ]
    if metrics.get("log_loss") is not None:
        rows.append([wording.metric("log_loss"), wording.decimal(metrics["log_loss"])])
    about = f"On the {wording.plural(metrics.get('n') or 0, 'image')} of the test part, which was read once."
    classes = [
        [plain(row.get("class")), wording.count(row.get("n"))]
        + [wording.share(row.get(k)) for k in ("recall", "precision")]
        for row in run.test.detail.get("per_class") or []
    ]
    each = "\n\n" + _table(["Class", "Images", "Recall", "Precision"], classes) if classes else ""
    return f"## Test\n\n{about}\n\n{_table(['Metric', 'Value'], rows)}{each}"


def _data(run: Run) -> str:
    if run.data is None:
        return ""
    metrics, parts = run.data.metrics, run.data.detail.get("parts") or {}
    rows = [[name, wording.count(metrics[key])] for key, name in wording.COUNTS.items() if metrics.get(key) is not None]
    named = (("train", "training part"), ("val", "validation part"), ("test", "test part"))
    rows += [[name, wording.count(parts[key])] for key, name in named if key in parts]
    listed = (("leaks", "leak", "between parts"), ("conflicts", "conflict", "of labels"))
    found = [
        f"- {wording.plural(len(run.data.detail[key]), noun)} {where}"
        for key, noun, where in listed
        if run.data.detail.get(key)
    ]
    notes = [f"- {plain(note)}" for note in run.data.detail.get("notes") or []]
    told = "\n\n" + "\n".join(found + notes) if found or notes else ""
    return f"## Data\n\nFingerprint `{clean(run.data.data)}`\n\n{_table(['Data', 'Count'], rows)}{told}"


def _sources(run: Run) -> str:
    """How far the earlier runs' images and labels are from these."""
    lines = [f"- {plain(' '.join(sentences(record.detail)))}" for record in run.sources]
    return "## The source's images and these\n\n" + "\n".join(lines) if lines else ""


def _limits(run: Run) -> str:
    lines = [
        "- It names one of its classes for every image, also for one that shows none of them.",
        "- The test numbers hold for images like those of the test part; for others nothing was measured.",
    ]
    rows = (run.test.detail.get("per_class") or []) if run.test else []
    known = [row for row in rows if row.get("recall") is not None]
    if known:
        worst = min(known, key=lambda row: float(row["recall"]))
        lines.append(
            f"- Least recalled class: {plain(worst.get('class'))}, "
            f"{wording.share(worst['recall'])} of {wording.plural(worst.get('n') or 0, 'image')}."
        )
    if run.test and run.test.metrics.get("calibration_error") is not None:
        error = wording.share(run.test.metrics["calibration_error"])
        lines.append(f"- Its probabilities are off by {error} on average over bins (expected calibration error).")
    return "## Limits\n\n" + "\n".join(lines)


SHELL = """```sh
headstart predict path/to/this/folder photo.jpg
```"""

PYTHON = """```python
import headstart

model = headstart.load("path/to/this/folder")
model.predict(["photo.jpg"])
```"""


def _use(run: Run) -> str:
    if run.final is None:
        return ""
    command = " ".join(again.fit(run.options, run.earlier))
    # Four spaces, since a name may hold the back-ticks that would close a fence.
    repeat = f"\n\nTo train it again:\n\n    {' '.join(clean(command).split())}" if command else ""
    return f"## How to use it\n\n{SHELL}\n\n{PYTHON}{repeat}"
