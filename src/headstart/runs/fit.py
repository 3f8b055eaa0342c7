"""The main job: labelled images in, an adapted model and the evidence out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from headstart.advice import Plan
from headstart.backbones import load, resolve
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError, RunError
from headstart.problem import Labelled, labelled_arrays, read_labelled
from headstart.records import Journal, Record, writing
from headstart.report import draw, model_card
from headstart.runs.caching import keep_within_limit
from headstart.runs.candidates import run_candidate
from headstart.runs.closing import fit_final, test_once, write_bundle, write_metrics
from headstart.runs.context import Context, Prepared
from headstart.runs.deciding import reach_verdict
from headstart.runs.descent import folders_of, race, retain
from headstart.runs.finetuning import Source
from headstart.runs.folder import open_journal, refuse_inside
from headstart.runs.halving import halve
from headstart.runs.machine import cache_folder, give_back_memory, peak_bytes, returning_memory
from headstart.runs.options import Options, parse_budget, parse_bytes, text_of
from headstart.runs.planning import plan_of, planned
from headstart.runs.preparing import prepare, write_split
from headstart.runs.probing import timed_probe
from headstart.runs.run import Run
from headstart.runs.sources import compare_sources
from headstart.strategies import TABLE, Strategy, asked_for, chosen

Data = Path | str | tuple[np.ndarray, np.ndarray]


def fit(
    data: Data,
    out: Path | str,
    *,
    budget: str | float = "8m",
    backbones: Sequence[str] = (),
    runs: Sequence[Path | str] = (),
    strategy: str = "auto",
    seed: int = 0,
    size: int = 128,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    metric: str = "accuracy",
    margin: float = 0.5,
    class_weight: str = "none",
    rate: str = "recipe",
    device: str = "auto",
    strict: bool = False,
    max_pixels: int = MAX_PIXELS,
    memory: str | int = "3GB",
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> Run:
    """Find out what is worth transferring to a task, and hand back the adapted model.

    Parameters
    ----------
    data : a folder ``DIR/<class>/<image>`` or ``DIR/{train,val,test}/<class>/<image>``, a table with
        the columns ``path,label[,split,group]``, or a pair (uint8 images, labels).
    out : the run's folder. If it holds the same question, unfinished, the run goes on where it was.
    budget : time for the whole run, like ``"8m"``; it is turned into a plan of work, once.
    backbones : names or globs (`headstart backbones`); all packaged ones by default. More than four are halved on few
        images first: what is dropped there is ranked lower, and need not have been shown to be worse.
    runs : folders of earlier runs whose models compete as backbones; beside them those that are named, or else what
        the runs themselves started from. At the end the images and labels of each are compared with these.
    strategy : ``auto``, ``probe``, ``finetune``, ``every``, or rows of `headstart.strategies.TABLE`
        like ``"last_3,all"``.
    seed : of the split and of the training.
    size : side of the squares that images are resized to, in pixels.
    split : shares of training, validation and test part, where the data do not say; they add up to 1.
    metric : what to choose by: ``accuracy``, ``balanced_accuracy`` or ``macro_f1``.
    margin : points of the metric that are not worth paying for.
    class_weight : ``balanced`` weighs rare classes up in fitting, ``none`` does not.
    rate : learning rates are the recipe's, or ``"find"``: found on training images before each fine-tuning.
    device : ``auto``, ``cpu`` or ``cuda``.
    strict : make a broken image an error; otherwise it is named, counted and left out.
    max_pixels : cap on an image's width × height.
    memory : what the run may take, like ``"3GB"``; heads are fitted to so many images as that allows.
    progress : told (stage, done, total).
    on_record : told every record.

    Returns
    -------
    The finished run: verdict, records, predictor.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.
    """
    started = time.perf_counter()
    options = Options(
        data=text_of(data) if isinstance(data, Path | str) else "arrays",
        backbones=tuple(resolve(race(runs, backbones) if runs else backbones)),
        strategy=",".join(asked_for(strategy)),
        budget=parse_budget(budget),
        seed=seed,
        size=size,
        split=(split[0], split[1], split[2]),
        metric=metric,
        margin=margin / 100,
        class_weight=class_weight,
        rate=rate,
        device=device,
        strict=strict,
        max_pixels=max_pixels,
        memory=parse_bytes(str(memory)),
    )
    rows, place = chosen(strategy), torch_device(device)
    labelled = read_labelled(data) if isinstance(data, Path | str) else labelled_arrays(*data)
    folder = Path(out).expanduser()
    refuse_inside(folder, labelled)
    journal = open_journal(folder, options.to_json())
    if journal.get("spent") is not None:
        for record in journal:
            on_record(record)
        if not all((folder / name).exists() for name in ("README.md", "report.html")):
            _draw(folder)
        return Run(folder)
    keep_within_limit(cache_folder())
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    plan, prepared = _plan_and_data(context, labelled, rows, started=started, sources=folders_of(runs))
    _work(context, plan, prepared)
    context.note(_spent(context, started))
    context.progress("drawing the page", 0, 1)
    _draw(folder)
    context.progress("drawing the page", 1, 1)
    return Run(folder)


def _draw(folder: Path) -> None:
    """What people read of a run, from its records alone: the model card and the page."""
    with writing(folder / "README.md") as temporary:
        temporary.write_text(model_card(folder))
    draw(folder)


def _work(context: Context, plan: Plan, prepared: Prepared) -> None:
    """The line of the house, from features to bundle."""
    with returning_memory():
        frozen, tuned = _probe_all(context, plan, prepared)
    for row in chosen(context.options.strategy):
        if not row.trains or row.name in plan.epochs[tuned.backbone]:
            give_back_memory()
            run_candidate(context, prepared, plan, row=row, source=tuned if row.trains else frozen)
    verdict = reach_verdict(context, prepared)
    source = tuned if TABLE[verdict.strategy].trains else frozen
    model = fit_final(context, prepared, plan, chosen=verdict.strategy, source=source)
    test_once(context, prepared, model)
    trained = prepared.ids("train", "val") if TABLE[verdict.strategy].trains else ()
    write_bundle(context, prepared, model, learned=trained)
    retain(context, prepared, model)
    write_metrics(context.folder, context.journal.get("test"))
    compare_sources(context, prepared)


def _probe_all(context: Context, plan: Plan, prepared: Prepared) -> tuple[Source, Source]:
    """Features and heads of every backbone, or of those that halving leaves → what to use frozen, what to fine-tune.

    Frozen, the best one is taken. Fine-tuned, the best one among those for which the plan affords the
    most strategies: a dearer network that is hardly trained teaches less than a cheaper one that is.
    """
    split = prepared.split
    pool = split.train if plan.folds is None else np.sort(np.concatenate([split.train, split.val]))
    sources = []
    for name in halve(context, prepared, plan, pool=pool):
        backbone = load(name, size=context.options.size)
        probed, features = timed_probe(context, prepared, backbone, indices=pool)
        sources.append(Source(name, backbone.architecture, features, probed))
        give_back_memory()
    frozen = max(sources, key=lambda source: source.probed.best.value)
    tuned = max(sources, key=lambda source: (len(plan.epochs[source.backbone]), source.probed.best.value))
    return frozen, tuned


def _plan_and_data(
    context: Context, labelled: Labelled, rows: Sequence[Strategy], *, started: float, sources: Sequence[str]
) -> tuple[Plan, Prepared]:
    """The plan is the first record: nothing is written before it."""
    prepared, found = prepare(context, labelled)
    record = context.journal.get("plan")
    if record is None:
        record = planned(context, prepared, rows, started=started, sources=sources)
        context.note(record)
    else:
        context.on_record(record)
    if context.journal.get("data") is None:
        write_split(context, prepared)
        context.note(found)
    else:
        same_data(context, prepared)
        context.on_record(found)
    return plan_of(record), prepared


def same_data(context: Context, prepared: Prepared) -> None:
    """Refuse to go on with other images or labels than the run was started with.

    Raises
    ------
    RunError : they have changed.
    """
    record = context.journal.get("data")
    if record is not None:
        same_images(context.folder, record, prepared.fingerprint)


def same_images(folder: Path, record: Record, fingerprint: str) -> None:
    """As `same_data`, of a record that has the fingerprint of what the run was started with.

    Raises
    ------
    RunError : it is another one.
    """
    if record.data != fingerprint:
        fact = f"The images or labels have changed since the run in {folder} was started."
        raise RunError(fact, "Choose another --out for the changed data.")


def _spent(context: Context, started: float) -> Record:
    """Plan beside spending, unit by unit."""
    plan = context.journal.get("plan")
    assert plan is not None
    stages = []
    for unit in plan.detail["units"]:
        spent = _seconds(context.journal, unit["key"])
        stages.append({"key": unit["key"], "name": unit["name"], "planned_s": unit["seconds"], "spent_s": spent})
    total = max(time.perf_counter() - started, sum(stage["spent_s"] for stage in stages))
    return Record(
        "spent",
        "spent",
        cost={"seconds": total},
        detail={"stages": stages, "budget_s": context.options.budget, "total_s": total, "peak_bytes": peak_bytes()},
    )


def _seconds(journal: Journal, key: str) -> float:
    probed = tuple(record.key for record in journal.of("probed"))
    several = {"start": ("plan",), "finalists": probed, "final": ("verdict", "final", "test", "bundle", "retained")}
    keys = several.get(key, (key,))
    records = [record for k in keys if (record := journal.get(k)) is not None]
    return float(sum(record.cost.get("seconds", 0.0) for record in records))


def torch_device(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one.

    Raises
    ------
    OptionError : a GPU was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("There is no CUDA device on this machine.", "Leave --device out, or choose cpu.")
    wanted = name if name != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)
