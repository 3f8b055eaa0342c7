"""The page and the model card of a pretraining, from the records alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report import again, wording
from headstart.report.card import plain
from headstart.report.composing import write_page
from headstart.report.reading import Run, kind_of, read
from headstart.report.sections import pretraining, repeat, spent

USE = """```shell
headstart fit YOUR_IMAGES --out RUN --backbone run:path/to/this/folder
```

```python
import headstart

run = headstart.fit("YOUR_IMAGES", "RUN", backbones=["run:path/to/this/folder"])
```"""


def draw_pretraining(folder: Path) -> Path:
    """Draw `folder`/report.html from the records and the pictures of the pretraining there.

    Raises
    ------
    RunError : the folder holds no such records.
    StorageError : the page cannot be written.
    """
    run, journal = _read(Path(folder))
    found = (
        ("verdict", "What was learned", pretraining.verdict(run, journal)),
        ("shown", "What the network was asked", pretraining.shown(run, journal)),
        ("learned", "How the learning went", pretraining.learned(run, journal)),
        ("probed", "What can be read at each cut", pretraining.probed(journal)),
        ("material", "What it learned from", pretraining.material(run)),
        ("spent", "What was spent where", spent.section(run)),
        ("repeat", "How to repeat it", repeat.under(run, again.pretrain(run.options))),
    )
    return write_page(
        Path(folder),
        found,
        name=Path(str(run.options.get("data") or folder)).name,
        fingerprint=run.data.data if run.data else "",
        unfinished=run.spent is None,
        words="pretraining_reading.html.j2",
    )


def pretraining_card(folder: Path) -> str:
    """The model card of a pretrained backbone, as Markdown.

    Raises
    ------
    RunError : the folder holds no such records.
    """
    run, journal = _read(Path(folder))
    parts = [_head(run), _made(run, journal), _probed(journal), f"## How to use it\n\n{USE}", _limits(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _read(folder: Path) -> tuple[Run, Journal]:
    if kind_of(folder) != "pretraining":
        raise RunError(f"{folder} holds no pretraining.", "Name the folder that `headstart pretrain` wrote.")
    journal = Journal(folder / "records.jsonl")
    return replace(read(folder), plan=journal.get("plan"), data=journal.get("data")), journal


def _head(run: Run) -> str:
    lines = ["# Model card", "A backbone, made with headstart: features of images, and no classes."]
    if run.verdict is not None:
        lines.append(f"> {plain(run.verdict.detail['sentence'])}")
    return "\n\n".join(lines)


def _made(run: Run, journal: Journal) -> str:
    training = journal.get("training")
    if training is None or run.data is None:
        return ""
    lines = [
        f"- Learned from: {plain(training.detail['title'])}",
        f"- Started as: {plain(training.backbone)}",
        f"- Images: {wording.count(run.data.metrics['used'])} usable of {wording.count(run.data.metrics['images'])}",
    ]
    lines += [
        f"- {plain(name.replace('_', ' ').capitalize())}: {plain(wording.setting(value))}"
        for name, value in training.recipe.items()
        if name in ("epochs", "batch_size", "lr", "weight_decay")
    ]
    return "## How it was made\n\n" + "\n".join([*lines, f"- Seed: {training.seed}"])


def _probed(journal: Journal) -> str:
    cuts: Record | None = journal.get("cuts")
    if cuts is None:
        return ""
    found = cuts.detail["cuts"]["all cuts"]
    return (
        "## What a linear probe reads from it\n\n"
        f"- On {wording.plural(found['after']['n'], 'image')} that nothing was learned from: "
        f"{wording.estimate(found['after'])}; before, {wording.estimate(found['before'])}"
    )


def _limits(run: Run) -> str:
    lines = ["- Whether it helps another task is to be measured there: let it compete in `headstart fit`."]
    lines += [f"- {plain(note)}" for note in (run.data.detail["notes"] if run.data else [])]
    return "## Limits\n\n" + "\n".join(lines)
