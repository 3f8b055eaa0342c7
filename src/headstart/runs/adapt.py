"""Another domain, the same task: a labelled source and images of a target in, an adapted model and the evidence out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from headstart.advice.adapting import STANDING
from headstart.backbones import resolve
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError, RunError
from headstart.problem import Labelled, Sealed, Task, Unlabelled, labelled_arrays, read_labelled, read_target, renamed
from headstart.problem.target import Target
from headstart.records import Record, writing
from headstart.report.adaptation import adaptation_card, draw_adaptation
from headstart.runs.adapted import AdaptedRun
from headstart.runs.caching import keep_within_limit
from headstart.runs.choosing import judge_final, open_oracle, reach_choice
from headstart.runs.closing import unplanned_spent, write_bundle
from headstart.runs.context import Context
from headstart.runs.fit import Data, torch_device
from headstart.runs.folder import open_journal, refuse_inside, refuse_nested
from headstart.runs.machine import cache_folder, give_back_memory, machine
from headstart.runs.measuring import measure_method
from headstart.runs.methods import fit_method
from headstart.runs.networks import trainable
from headstart.runs.options import MEMORY, Adapting, text_of
from headstart.runs.pairing import Both, read_both
from headstart.runs.picturing import picture_examples
from headstart.runs.starting import found_start
from headstart.strategies import ADAPTATIONS, Adaptation, chosen_adaptations


def adapt(
    source: Data,
    to: Target,
    out: Path | str,
    *,
    labels: int = 0,
    oracle: bool = False,
    methods: Sequence[str] = ("auto",),
    epochs: int | None = None,
    backbone: str = "packaged/efficientnet_lite0",
    pairs: str = "auto",
    mapping: Mapping[str, str] | None = None,
    seed: int = 0,
    size: int = 128,
    metric: str = "accuracy",
    margin: float = 0.5,
    device: str = "auto",
    strict: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> AdaptedRun:
    """Adapt what a labelled source teaches to the images of another domain, and hand back a model for these.

    Methods are fitted on stored features, those that train on images. Which one is handed back is chosen without a
    label of the target, or, where the validators do not agree, none is: then it is the source's own head.

    Parameters
    ----------
    source : labelled images, as `headstart.fit` takes them.
    to : the target: any folder of images, flat or in class folders; a table; uint8 images; or (images, labels).
    out : the run's folder. If it holds the same question, unfinished, the run goes on where it was.
    labels : how many labelled target images of each class may be used; they are drawn from class folders.
    oracle : read the labels of the judged target images in the end, only to report what each method is really worth.
    methods : rows of `headstart.strategies.ADAPTATIONS`; ``auto``, all on stored features and one training that aligns
        (DAN); ``features``, the former alone; or ``trained``, all that train. What these begin with, and the baselines,
        are always among them.
    epochs : of each training, through the longer domain; by default 8 to 16, fewer of more images.
    backbone : whose features are adapted.
    pairs : how images of one item in both domains are found: ``auto``, ``names`` (equal file names) or ``none``.
    mapping : classes of the source that are classes of the target under another name: the source's take that name.
    margin : points of the metric that are not worth a difference.
    seed, size, metric, device, strict, max_pixels, progress, on_record : as in `headstart.fit`.

    Returns
    -------
    The finished run: verdict, records, predictor.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.
    """
    started = time.perf_counter()
    names = resolve([backbone])
    if len(names) != 1:
        raise OptionError(f"{backbone} names {len(names)} backbones.", "Name one.")
    options = Adapting(
        data=text_of(source) if isinstance(source, Path | str) else "arrays",
        to=text_of(to) if isinstance(to, Path | str) else "arrays",
        backbones=(names[0],),
        labels=labels,
        oracle=oracle,
        methods=tuple(methods),
        epochs=epochs,
        pairs=pairs,
        mapping=dict(mapping) if mapping else None,
        seed=seed,
        size=size,
        split=(0.8, 0.2, 0.0),
        metric=metric,
        margin=margin / 100,
        device=device,
        strict=strict,
        max_pixels=max_pixels,
        memory=MEMORY,
    )
    rows, place = chosen_adaptations(methods, labels=labels), torch_device(device)
    rows, notes = trainable(rows, names[0], named=methods, size=size)
    if isinstance(source, Path | str) and isinstance(to, Path | str):
        refuse_nested(Path(source), Path(to))
    labelled = read_labelled(source) if isinstance(source, Path | str) else labelled_arrays(*source)
    target, sealed = read_target(to, per_class=labels, oracle=oracle)
    if mapping:
        theirs = sealed.classes if sealed is not None and labels else None
        labelled = replace(labelled, task=Task(renamed(labelled.task.classes, mapping, theirs)))
    folder = Path(out).expanduser()
    refuse_inside(folder, labelled)
    if target.x.root and folder.resolve().is_relative_to(target.x.root.resolve()):
        raise RunError(f"{folder} lies inside the target's folder of images.", "Choose an --out outside of it.")
    journal = open_journal(folder, options.to_json(), what="adaptation")
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    if journal.get("spent") is not None:
        for record in journal:
            on_record(record)
    else:
        keep_within_limit(cache_folder())
        _work(context, options, rows, labelled, target, sealed, notes=notes, started=started)
    _draw(folder)
    return AdaptedRun(folder)


def _work(
    context: Context,
    asked: Adapting,
    rows: Sequence[Adaptation],
    source: Labelled,
    target: Unlabelled,
    sealed: Sealed | None,
    *,
    notes: Sequence[str],
    started: float,
) -> None:
    """The line of the house, from two domains to a bundle."""
    both, found = read_both(context, asked, source, target, sealed)
    # What is refused in reading must not leave a plan that refuses the corrected command.
    _plan(context, rows, notes)
    _note_domains(context, both, found)
    start = found_start(context, both)
    for row in rows:
        if context.journal.get(f"method/{row.name}") is None:
            measure_method(context, both, row, start)
            give_back_memory()
        else:
            context.on_record(_measured(context, f"method/{row.name}"))
    choice = reach_choice(context, both)
    model = fit_method(context, both, ADAPTATIONS[choice.strategy], start).model()
    judge_final(context, both, model, chosen=choice.strategy)
    if sealed is not None and asked.oracle:
        open_oracle(context, both, sealed, chosen=choice.strategy)
    picture_examples(context, both, start, chosen=choice.strategy)
    write_bundle(context, both.source, model, learned=both.learned(ADAPTATIONS[choice.strategy]))
    context.note(unplanned_spent(context, started, closing=("verdict", "final", "bundle", "examples")))


def _measured(context: Context, key: str) -> Record:
    """The record of a method that was measured before.

    Raises
    ------
    RunError : an earlier version wrote it, and did not measure all that is chosen by.
    """
    record = _there(context, key)
    if not set(STANDING) <= set(record.metrics):
        fact = f"An earlier headstart began the run in {context.folder}, and did not measure all that is chosen by."
        raise RunError(fact, "Choose another --out.")
    return record


def _plan(context: Context, rows: Sequence[Adaptation], notes: Sequence[str]) -> None:
    """The plan is the first record. No budget is made: epochs bound the trainings, and all else takes seconds."""
    record = context.journal.get("plan")
    if record is None:
        units = [{"key": "domains", "name": "reading both domains", "seconds": None}]
        units += [{"key": "start", "name": "features of both, and the source's head", "seconds": None}]
        units += [{"key": f"method/{row.name}", "name": row.title, "seconds": None} for row in rows]
        units += [{"key": "closing", "name": "choosing, and writing the bundle", "seconds": None}]
        absent = [row for row in ADAPTATIONS.values() if not row.at_hand]
        pot = [f"Not tried: {row.title}, for POT is not installed (the extra adapt brings it)." for row in absent]
        said = {"machine": machine(), "notes": [*pot, *notes]}
        detail = {"options": context.options.to_json(), "units": units, **said}
        record = Record("plan", "adaptation", seed=context.options.seed, detail=detail)
        context.note(record)
    else:
        context.on_record(record)


def _note_domains(context: Context, both: Both, found: Record) -> None:
    before = context.journal.get("domains")
    if before is not None and before.data != found.data:
        fact = f"The images or labels have changed since the run in {context.folder} was started."
        raise RunError(fact, "Choose another --out for the changed data.")
    if before is None:
        _write_split(context, both)
        context.note(found)
    else:
        context.on_record(before)


def _write_split(context: Context, both: Both) -> None:
    """``split.json``: which image is in which part."""
    ours, theirs = both.source.labelled.x, both.target.unlabelled.x
    named = {
        "source": {"train": both.source.split.train, "held": both.source.split.val, "aside": both.source.split.aside},
        "target": {"adapted": both.target.adapted, "judged": both.target.judged, "few": both.target.few},
    }
    parts = {
        side: {name: [domain.label_of(int(i)) for i in rows] for name, rows in named[side].items()}
        for side, domain in (("source", ours), ("target", theirs))
    }
    with writing(context.folder / "split.json") as temporary:
        temporary.write_text(json.dumps({"seed": context.options.seed, **parts}, indent=1, ensure_ascii=False))


def _there(context: Context, key: str) -> Record:
    record = context.journal.get(key)
    assert record is not None
    return record


def _draw(folder: Path) -> None:
    """What people read of a run, from its records alone: the model card and the page."""
    with writing(folder / "README.md") as temporary:
        temporary.write_text(adaptation_card(folder))
    draw_adaptation(folder)
