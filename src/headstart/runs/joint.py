"""Same domain, several tasks: one table in, one network with a head for each task and the evidence out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from headstart.backbones import resolve
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError
from headstart.problem import Tasks, read_tasks
from headstart.records import Record, writing
from headstart.report.joint import draw_joint, joint_card
from headstart.runs.caching import keep_within_limit
from headstart.runs.closing import unplanned_spent, write_bundle
from headstart.runs.context import Context
from headstart.runs.fit import same_data, torch_device
from headstart.runs.folder import open_journal
from headstart.runs.heads import found_heads
from headstart.runs.joined import JointRun
from headstart.runs.joining import handed_back, reach_joint, run_frozen, run_trained, test_tasks
from headstart.runs.machine import cache_folder, give_back_memory, machine, returning_memory
from headstart.runs.options import MEMORY, Joining, text_of
from headstart.runs.preparing import write_split
from headstart.runs.several import Several, read_several


def joint(
    table: Path | str,
    labels: Sequence[str],
    out: Path | str,
    *,
    backbone: str = "packaged/efficientnet_lite0",
    epochs: int | None = None,
    seed: int = 0,
    size: int = 128,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    metric: str = "accuracy",
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> JointRun:
    """Several tasks on the images of one table: one network with a head for each, frozen or trained for all together.

    Parameters
    ----------
    table : CSV or Parquet with the columns ``path[, split, group]`` and one for each task; an empty cell means that the
        image has no label of that task.
    labels : these columns, two or more.
    out : the run's folder. If it holds the same question, unfinished, the run goes on where it was.
    backbone : whose weights everything starts from.
    epochs : of each training, the same for one task and for all; by default 8 to 16, fewer of more images.
    metric : what to choose by, averaged over the tasks: ``accuracy``, ``balanced_accuracy`` or ``macro_f1``.
    seed, size, split, device, max_pixels, progress, on_record : as in `headstart.fit`.

    Returns
    -------
    The finished run: verdict, records, predictor.

    Raises
    ------
    HeadstartError : what is wrong with the table, an option, the machine or the folder.
    """
    started = time.perf_counter()
    names = resolve([backbone])
    if len(names) != 1:
        raise OptionError(f"{backbone} names {len(names)} backbones.", "Name one.")
    tasks = read_tasks(table, labels)
    options = Joining(
        data=text_of(table),
        labels=tasks.names,
        backbones=(names[0],),
        epochs=epochs,
        seed=seed,
        size=size,
        split=(split[0], split[1], split[2]),
        metric=metric,
        device=device,
        max_pixels=max_pixels,
        memory=MEMORY,
    )
    place, folder = torch_device(device), Path(out).expanduser()
    journal = open_journal(folder, options.to_json(), what="joint")
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    if journal.get("spent") is not None:
        for record in journal:
            on_record(record)
    else:
        keep_within_limit(cache_folder())
        _work(context, tasks, started=started)
    _draw(folder)
    return JointRun(folder)


def _work(context: Context, tasks: Tasks, *, started: float) -> None:
    """The line of the house, from one table to a bundle."""
    several, found = read_several(context, tasks)
    # What is refused in reading must not leave a plan that refuses the corrected table.
    _plan_and_data(context, several, found)
    with returning_memory():
        heads = found_heads(context, several)
    run_frozen(context, several, heads)
    for t, name in enumerate(tasks.names):
        run_trained(context, several, heads, tasks=[t], key=f"alone/{name}")
        give_back_memory()
    run_trained(context, several, heads, tasks=range(len(tasks.names)), key="joint")
    chosen = reach_joint(context, several, heads)
    model = handed_back(context, several, heads, chosen=chosen)
    test_tasks(context, several, model)
    trained = several.prepared.ids("train") if chosen != "frozen" else ()
    named = list(zip(tasks.names, tasks.spaces, strict=True))
    write_bundle(context, several.prepared, model, learned=trained, tasks=named)
    context.note(unplanned_spent(context, started, closing=("costs", "verdict", "test", "bundle")))


def _plan_and_data(context: Context, several: Several, found: Record) -> None:
    """The plan is the first record; no budget is made, since what is trained is known."""
    plan = context.journal.get("plan")
    if plan is None:
        units = [("data", "reading the images"), ("frozen", "frozen network, a head for each task")]
        units += [(f"alone/{name}", f"trained for {name} alone") for name in several.tasks.names]
        units += [("joint", "trained for all tasks together"), ("closing", "choosing, and writing the bundle")]
        told = [{"key": key, "name": name, "seconds": None} for key, name in units]
        detail = {"options": context.options.to_json(), "units": told, "machine": machine(), "notes": []}
        context.note(Record("plan", "joint", seed=context.options.seed, detail=detail))
    else:
        context.on_record(plan)
    if context.journal.get("data") is None:
        write_split(context, several.prepared)
        context.note(found)
    else:
        same_data(context, several.prepared)
        context.on_record(found)


def _draw(folder: Path) -> None:
    """What people read of a run, from its records alone: the model card and the page."""
    with writing(folder / "README.md") as temporary:
        temporary.write_text(joint_card(folder))
    draw_joint(folder)
