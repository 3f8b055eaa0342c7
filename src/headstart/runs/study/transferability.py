"""How transferable are features? Yosinski et al. 2014, on any labelled images and any network that can be cut."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from headstart.backbones import resolve
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError
from headstart.problem import Labelled, read_labelled
from headstart.problem.halves import Halves
from headstart.records import Journal, Record
from headstart.report.transferability import draw_transferability
from headstart.runs.caching import keep_within_limit
from headstart.runs.context import Context
from headstart.runs.fit import same_images, torch_device
from headstart.runs.folder import open_journal, refuse_inside
from headstart.runs.machine import cache_folder, cores, peak_bytes
from headstart.runs.options import parse_budget, text_of
from headstart.runs.preparing import data_record
from headstart.runs.side_by_side import SideBySide
from headstart.runs.study.cells import Job, train_cell
from headstart.runs.study.findings import findings_record
from headstart.runs.study.laboratory import Cell, Laboratory
from headstart.runs.study.looking import look_inside
from headstart.runs.study.scheduling import Schedule
from headstart.runs.study.tasks import Tasks, class_means, halved, halves_record, refuse_alike, word_of
from headstart.runs.study.transferability_plan import STAGES, Means, plan_record
from headstart.runs.study.transferability_study import TransferabilityStudy
from headstart.runs.study.transplanting import SHARES, Transplanting

Workers = SideBySide[Laboratory]


def transferability(
    data: Path | str | Labelled,
    out: Path | str,
    *,
    architecture: str = "plain_alexnet",
    splits: Sequence[str] = ("random", "dissimilar"),
    seeds: int = 5,
    cuts: Sequence[str] = (),
    labels: Sequence[int] = (),
    epochs: int | None = None,
    budget: str | float = "60m",
    reference: str = "packaged/efficientnet_lite0",
    jobs: int = 0,
    seed: int = 0,
    size: int = 32,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> TransferabilityStudy:
    """Train networks on halves of the classes, carry their first n layers over, and see what is lost and gained.

    For every kind of split, seed, direction and cut n: BnB and AnB (the first n layers of the base of the same half, or
    of the other one, frozen; the rest drawn anew and trained), BnB+ and AnB+ (the same, fine-tuned), and random layers
    in their place. All take the same steps by the same recipe, whose learning rate is chosen on bases alone.

    Parameters
    ----------
    data : labelled images with four classes or more.
    out : the folder. If it holds the same question, unfinished, it goes on where it was.
    architecture : timm's name, or ``plain_alexnet`` or ``plain_vgg``; it begins with random weights.
    splits : ``random``, ``dissimilar``, ``similar`` (by the features of `reference`), ``names`` (in the order of the
        classes' names), or the path of a table ``class,half``.
    seeds : replicates; with fewer than three, nothing is shown.
    cuts : all of the network's by default.
    labels : numbers of labels of a class that the target half is learned with too, beside all of them.
    epochs : by default as many as the budget allows.
    budget : time for all of it; where it is too short for everything, seeds, labels and splits are left out.
    jobs : networks that are trained at a time, each on one thread; 0 means one a core.
    dry_run : plan only: the study's ``plan`` says what would be trained, and nothing is written.
    seed, size, device, max_pixels, progress, on_record : as in `headstart.fit`.

    Returns
    -------
    What holds of the paper's findings here, and every network.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.

    Source: Yosinski, Clune, Bengio & Lipson 2014, https://arxiv.org/abs/1411.1792.
    """
    started = time.perf_counter()
    place, folder = torch_device(device), Path(out).expanduser()
    refuse_alike(tuple(splits))
    names = resolve([reference])
    if len(names) != 1:
        raise OptionError(f"{reference} names {len(names)} backbones.", "Name one as the reference.")
    options = Transplanting(
        data="arrays" if isinstance(data, Labelled) else text_of(data),
        backbones=(f"random/{architecture}",),
        seed=seed,
        size=size,
        split=SHARES,
        device=device,
        max_pixels=max_pixels,
        architecture=architecture,
        splits=tuple(splits),
        seeds=seeds,
        cuts=tuple(cuts),
        labels=tuple(sorted(set(labels))),
        epochs=epochs,
        budget=parse_budget(budget),
        reference=names[0],
        jobs=jobs or (1 if place.type == "cuda" else cores()),
    )
    resolve(options.backbones)
    labelled = data if isinstance(data, Labelled) else read_labelled(data)
    refuse_inside(folder, labelled)
    if dry_run:
        context = Context(
            folder, Journal(folder / "records.jsonl"), options, cache_folder(), place, progress, on_record
        )
        return TransferabilityStudy(folder, plan_record(context, *_opened(context, labelled)))
    journal = open_journal(folder, options.to_json(), what="transferability")
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    if journal.get("spent") is None:
        keep_within_limit(cache_folder())
        _work(context, labelled, started=started)
    draw_transferability(folder)
    return TransferabilityStudy(folder)


def _work(context: Context, labelled: Labelled, *, started: float) -> None:
    """Tasks, plan, learning rate, bases, cells, findings."""
    lab, means = _opened(context, labelled)
    plan = context.journal.get("plan")
    if plan is None:
        plan = plan_record(context, lab, means)
        context.note(plan)
    else:
        same_images(context.folder, plan, lab.fingerprint)
        context.on_record(plan)
    planned = Schedule.from_json(plan.detail)
    tasks = Tasks(lab, _halves(context, lab, planned, means))
    if context.journal.get("data") is None:
        seconds = time.perf_counter() - started
        context.note(data_record(tasks.prepared(planned.seeds[0]), seconds=seconds, seed=planned.seeds[0]))
    # What a half lacks is said before anything is trained.
    for cell in planned.bases:
        tasks.sides(cell)
    with SideBySide(lab, jobs=lab.options.jobs) as workers:
        lr = _rate(context, tasks, planned, workers)
        for cells in (planned.bases, planned.cells):
            _train(context, tasks, planned, workers, dict.fromkeys(cells, lr))
    if context.journal.get("inside") is None:
        context.note(look_inside(context, tasks, planned))
    if context.journal.get("verdict") is None:
        context.note(findings_record(context.journal, seed=context.options.seed))
    context.note(_spent(context, planned, started=started))
    shutil.rmtree(context.folder / "work", ignore_errors=True)


def _opened(context: Context, labelled: Labelled) -> tuple[Laboratory, Means]:
    """The images, read, and what gives the mean features of their classes, which are computed once and if needed."""
    lab = Laboratory.opened(context, labelled)
    return lab, cache(partial(class_means, lab, progress=context.progress))


def _halves(context: Context, lab: Laboratory, planned: Schedule, means: Means) -> dict[tuple[str, int], Halves]:
    """Those of every kind and seed; the records ``halves/<kind>/<seed>``."""
    found = {}
    numbers = {name: number for number, name in enumerate(lab.labelled.task.classes)}
    for seed in planned.seeds:
        for split in planned.splits:
            kind = word_of(split)
            record = context.journal.get(f"halves/{kind}/{seed}")
            if record is None:
                halves = halved(lab, split, seed=seed, means=means)
                record = halves_record(lab, kind, halves, seed=seed, means=means())
                context.note(record)
            found[kind, seed] = Halves(*(tuple(numbers[name] for name in record.detail[half]) for half in "AB"))
    return found


def _rate(context: Context, tasks: Tasks, planned: Schedule, workers: Workers) -> float:
    """The learning rate with which a base does best on images that nothing is judged on; the record ``rate``."""
    before = context.journal.get("rate")
    if before is not None:
        return float(before.metrics["rate"])
    _train(context, tasks, planned, workers, {cell: cell.rate for cell in planned.rates})
    tried = {}
    for cell in planned.rates:
        record = context.journal.get(cell.key)
        assert record is not None
        loss, value = record.detail["curve"][-1]
        tried[cell.rate] = {"loss": loss, "value": value}
    best = max(tried, key=lambda rate: (tried[rate]["value"], -tried[rate]["loss"]))
    detail = {"tried": [{"rate": rate, **found} for rate, found in tried.items()]}
    context.note(Record("rate", "rate", part="val", seed=context.options.seed, metrics={"rate": best}, detail=detail))
    return best


def _train(context: Context, tasks: Tasks, planned: Schedule, workers: Workers, rates: Mapping[Cell, float]) -> None:
    """Those that are not recorded, side by side; each one's record is written when it is done."""
    jobs = tasks.lab.options.jobs
    missing = [
        Job(
            cell,
            tasks.sides(cell),
            planned.epochs,
            planned.steps,
            planned.batch,
            rate,
            keep=cell == planned.tuned,
        )
        for cell, rate in rates.items()
        if context.journal.get(cell.key) is None
    ]
    done, stage = len(rates) - len(missing), f"{'networks' if next(iter(rates)).n else 'bases'}, {jobs} at a time"
    context.progress(stage, done, len(rates))
    for record in workers.each(train_cell, missing):
        done += 1
        context.note(record)
        context.progress(stage, done, len(rates))


def _spent(context: Context, planned: Schedule, *, started: float) -> Record:
    """What every stage took, over the networks that ran side by side."""
    options = context.options
    assert isinstance(options, Transplanting)
    stages = {"rates": planned.rates, "bases": planned.bases, "cells": planned.cells}
    spent = {}
    for stage, cells in stages.items():
        records = [record for cell in cells if (record := context.journal.get(cell.key)) is not None]
        spent[stage] = sum(record.cost["seconds"] for record in records) / min(options.jobs, len(cells))
    if (inside := context.journal.get("inside")) is not None:
        spent["inside"] = inside.cost["seconds"]
    total = max(time.perf_counter() - started, sum(spent.values()))
    told = [
        {"key": key, "name": STAGES[key], "planned_s": planned.seconds.get(key), "spent_s": spent[key]}
        for key in STAGES
    ]
    detail = {"stages": told, "budget_s": options.budget, "total_s": total, "peak_bytes": peak_bytes()}
    return Record("spent", "spent", cost={"seconds": total}, detail=detail)
