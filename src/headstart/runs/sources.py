"""What an earlier run is to the next task: the problem card of its images and labels and of this run's own.

It is evidence for the reader: it is measured after the model is written, and nothing of the run depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.advice import Calibration, Unit
from headstart.bundle.check import read_config
from headstart.data import survey
from headstart.errors import BundleError, DataError, MissingExtraError, RunError
from headstart.problem import Labelled, read_labelled
from headstart.records import Journal, Record
from headstart.records.typed import restored
from headstart.runs.answering import answered
from headstart.runs.compared import Card, GivenClass, Heads, Labels, Marginal, Prior, Spaces, Verdict
from headstart.runs.context import Context, Prepared
from headstart.runs.folder import refuse_nested
from headstart.runs.gathering import Known, gather_images
from headstart.runs.keeping import Keeper

MOST = 500
"""Images of each domain that are compared: a third of what `headstart.compare` takes, for wider intervals."""

TOLERANCE = 5.0
"""Points above chance that count as the same: what `headstart.compare` takes where it is told nothing."""

SECONDS = 6.0
"""What the card of so many images takes on one core, as measured, once their features are there."""

READING = 0.0003
"""Seconds for each image of the earlier run: to find it unchanged, and its copies."""

SHARE = 0.1
"""Of the budget, for all cards together: what is evidence alone must not take the time of what is asked."""


def planned_sources(
    folders: Sequence[str], calibrations: Mapping[str, Calibration], *, budget: float
) -> tuple[tuple[Unit, ...], tuple[str, ...]]:
    """The cards that a plan has time for, as units of work, and a sentence on each of the others.

    Parameters
    ----------
    folders : of the earlier runs.
    calibrations : costs of every backbone in the race.
    budget : seconds of the whole run.
    """
    left, units, notes = SHARE * budget, [], []
    for number, folder in enumerate(folders):
        network = _network(tuple(calibrations), Path(folder))
        seconds = SECONDS + READING * _images(folder) + MOST * calibrations[network].forward
        if seconds > left:
            notes.append(_no_time(folder, seconds))
            continue
        left -= seconds
        units.append(Unit(_key(number), f"comparing these images with those of {folder}", seconds))
    return tuple(units), tuple(notes)


def compare_sources(context: Context, prepared: Prepared) -> None:
    """The problem card of every earlier run's data with this run's; a record ``source/<number>`` each.

    Of this run, images and labels of the training and validation part are read, none of the test part.
    """
    plan = context.journal.get("plan")
    assert plan is not None
    units = {unit["key"] for unit in plan.detail["units"]}
    for number, folder in enumerate(plan.detail.get("sources", ())):
        if context.journal.get(_key(number)) is None:
            context.note(
                _compared(context, prepared, plan, number=number, folder=folder, planned=_key(number) in units)
            )


def cards(journal: Journal, folder: Path) -> tuple[Card, ...]:
    """The problem cards that the records of a run hold; `folder` is where its page is."""
    return tuple(
        _card(journal, f"{record.key}/", record, folder) for record in journal.of("source") if not record.detail["note"]
    )


def _compared(context: Context, prepared: Prepared, plan: Record, *, number: int, folder: str, planned: bool) -> Record:
    started = time.perf_counter()
    detail: dict[str, Any] = {"run": folder, "tolerance": TOLERANCE, "note": ""}
    network = ""
    try:
        if not planned:
            raise RunError("The budget leaves no time for it.", "")
        # Of a network that had no room in the budget there are no features.
        network = _network(tuple(plan.detail["epochs"]), Path(folder))
        detail |= _summary(_measured(context, prepared, Path(folder), network=network, prefix=f"{_key(number)}/"))
    except (BundleError, DataError, MissingExtraError, RunError) as error:
        detail["note"] = f"The images of {folder} were not compared with these: {error.fact}"
    return Record(
        _key(number),
        "source",
        data=prepared.fingerprint,
        part="train+val",
        backbone=network,
        seed=context.options.seed,
        cost={"seconds": time.perf_counter() - started},
        detail=detail,
    )


def _measured(context: Context, prepared: Prepared, folder: Path, *, network: str, prefix: str) -> Card:
    source = _data_of(context, folder)
    ours = prepared.labelled.subset(np.sort(np.concatenate([prepared.split.train, prepared.split.val])))
    gathered = gather_images(
        source,
        ours,
        Known.of(source, ours, {}),
        context.options,
        pairs="auto",
        cache=context.cache,
        device=context.device,
        progress=context.progress,
        backbone=network,
        most=MOST,
    )
    keeper = Keeper(
        context.journal,
        gathered.fingerprint,
        network,
        context.options.seed,
        context.progress,
        prefix=prefix,
        on_record=context.on_record,
    )
    return answered(keeper, gathered, folder=context.folder, tolerance=TOLERANCE / 100)


def _data_of(context: Context, folder: Path) -> Labelled:
    """The images and labels that an earlier run was fitted to.

    Raises
    ------
    RunError : they were arrays, or have changed since; or it is the run of another command.
    DataError : they are not there any more, or are this run's own.
    """
    journal = Journal(folder / "records.jsonl")
    plan, data = journal.get("plan"), journal.get("data")
    if plan is None or data is None:
        raise RunError(f"{folder} does not say which images it was fitted to.", "")
    if plan.what != "plan":
        raise RunError(f"{folder} is the run of another command.", "")
    asked = plan.detail["options"]
    place = asked["data"]
    if place == "arrays":
        raise RunError("They were arrays from Python, which no run keeps.", "")
    if context.options.data != "arrays":
        refuse_nested(Path(place), Path(context.options.data))
    source = read_labelled(place)
    # As that run read them: under another cap, other images would be broken.
    looked = survey(
        source.x, context.options.size, cache=context.cache, max_pixels=asked["max_pixels"], progress=context.progress
    )
    if looked.fingerprint(source.y) != data.data:
        raise RunError(f"The images or labels in {place} have changed since that run.", "")
    return source


def _network(names: Sequence[str], folder: Path) -> str:
    """What the earlier run started from, where it is in the race: its features are stored, and it saw neither domain.

    Else the first network that is not an earlier run's.
    """
    start = str(read_config(folder)["backbone"])
    return start if start in names else next((name for name in names if not name.startswith("run:")), names[0])


def _summary(card: Card) -> dict[str, Any]:
    """What a line on a terminal and a program need; the whole card stands in records of its own."""
    answers = {
        one.about: {"judgement": one.judgement, "value": one.value, "low": one.low, "high": one.high}
        for one in card.verdict.answers
    }
    names = {"source": card.spaces.source.name, "target": card.spaces.target.name}
    return {**names, "sentence": card.case.sentence, "answers": answers}


def _card(journal: Journal, prefix: str, record: Record, folder: Path) -> Card:
    def part(key: str, kind: type[Any]) -> Any:
        found = journal.get(prefix + key)
        return restored(kind, found.detail) if found is not None and found.detail else None

    return Card(
        record.detail["tolerance"] / 100,
        record.backbone,
        part("data", Spaces),
        part("marginal", Marginal),
        part("labels", Labels),
        part("prior", Prior),
        part("given_class", GivenClass),
        part("conditional", Heads),
        part("verdict", Verdict),
        folder,
    )


def _images(folder: str) -> int:
    """Images of an earlier run; none where it does not say."""
    data = Journal(Path(folder) / "records.jsonl").get("data")
    return int(data.metrics.get("images", 0)) if data else 0


def _no_time(folder: str, seconds: float) -> str:
    return (
        f"The budget is too small to compare these images with those of {folder} (about {seconds:.0f} seconds, and "
        f"{100 * SHARE:.0f} % of it are for that): `headstart compare` does it."
    )


def _key(number: int) -> str:
    return f"source/{number}"
