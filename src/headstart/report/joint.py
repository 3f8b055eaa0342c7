"""The page and the model card of several tasks on one network, from the records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report import again, wording
from headstart.report.card import SHELL, plain
from headstart.report.composing import write_page
from headstart.report.reading import Run, kind_of, read
from headstart.report.sections import curves, data, joint, repeat, spent

PYTHON = """```python
import headstart

model = headstart.load("path/to/this/folder")
shares = model.predict_tasks(["photo.jpg"])  # by task, probabilities of its classes
```"""


def draw_joint(folder: Path) -> Path:
    """Draw `folder`/report.html from the records of the several tasks there.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    run, costs = _read(Path(folder))
    found = (
        ("verdict", "The verdict", joint.verdict(run, costs)),
        ("ways", "Task by task", joint.ways(run, costs)),
        ("curves", "How the training went", curves.section(run)),
        ("data", "The data’s own problems", data.section(run)),
        ("spent", "What was spent where", spent.section(run)),
        ("repeat", "How to repeat it", repeat.under(run, again.joint(run.options))),
    )
    return write_page(
        Path(folder),
        found,
        name=Path(str(run.options.get("data") or folder)).name,
        fingerprint=run.data.data if run.data else "",
        unfinished=run.spent is None,
        words="joint_reading.html.j2",
    )


def joint_card(folder: Path) -> str:
    """The model card of several tasks, as Markdown.

    Raises
    ------
    RunError : the folder holds no such records.
    """
    run, _ = _read(Path(folder))
    parts = [
        _head(run),
        _tasks(run),
        _made(run),
        _tested(run),
        _limits(run),
        f"## How to use it\n\n{SHELL}\n\n{PYTHON}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(folder: Path) -> tuple[Run, Record | None]:
    if kind_of(folder) != "joint":
        raise RunError(f"{folder} holds no run over several tasks.", "Name the folder that `headstart joint` wrote.")
    journal = Journal(folder / "records.jsonl")
    return replace(read(folder), plan=journal.get("plan")), journal.get("costs")


def _head(run: Run) -> str:
    lines = ["# Model card", "One network that answers several questions of an image, made with headstart."]
    if run.verdict is not None:
        lines.append(f"> {plain(run.verdict.detail['sentence'])}")
    return "\n\n".join(lines)


def _tasks(run: Run) -> str:
    labels = run.data.detail["classes"] if run.data else []
    return f"## Tasks and classes ({len(labels)})\n\n" + "\n".join(f"- {plain(label)}" for label in labels)


def _made(run: Run) -> str:
    record = next((one for one in run.candidates if one.strategy == run.chosen), None)
    if record is None:
        return ""
    lines = [f"- Backbone: {plain(record.backbone)}, {'frozen' if record.cut else 'every layer trained'}"]
    for task, head in zip(record.detail["tasks"], record.recipe.get("heads", ()), strict=False):
        where = wording.place(str(head["head"]), head["cut"])
        penalty = "" if head["penalty"] is None else f", penalty {wording.setting(head['penalty'])}"
        lines.append(f"- Head for {plain(task['task'])}: {plain(where + penalty)}")
    settings = {name: value for name, value in record.recipe.items() if name != "heads"}
    lines += [
        f"- {plain(name.replace('_', ' ').capitalize())}: {plain(wording.setting(v))}" for name, v in settings.items()
    ]
    return "## How it was made\n\n" + "\n".join([*lines, f"- Seed: {record.seed}"])


def _tested(run: Run) -> str:
    if run.test is None:
        return "## Test\n\nNo test part was kept."
    lines = [
        f"- {plain(one['task'])}: {wording.metric(run.metric)} {wording.estimate(one)} over "
        f"{wording.plural(one['n'], 'image')}"
        for one in run.test.detail["tasks"]
    ]
    return "## Test\n\nImages that nothing was chosen by, read once:\n\n" + "\n".join(lines)


def _limits(run: Run) -> str:
    lines = ["- It names one class of each task for every image, also for one that shows none of them."]
    lines += [f"- {plain(note)}" for note in (run.data.detail["notes"] if run.data else [])]
    return "## Limits\n\n" + "\n".join(lines)
