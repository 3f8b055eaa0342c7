"""Which score should have been believed: every network scored and really fine-tuned, on several splits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.advice import Plan
from headstart.backbones import Backbone, load, resolve
from headstart.data import MAX_PIXELS
from headstart.errors import OptionError
from headstart.evidence import ranking as evidence
from headstart.evidence.backtest import Race, backtest
from headstart.evidence.transferability import SCORES
from headstart.features import Features, extract
from headstart.problem import labelled_arrays, read_labelled
from headstart.records import Record
from headstart.runs.caching import keep_within_limit
from headstart.runs.candidates import run_candidate
from headstart.runs.context import Context, Prepared, kept_predictions
from headstart.runs.finetuning import Source
from headstart.runs.fit import Data, same_data, torch_device
from headstart.runs.folder import open_journal, refuse_inside
from headstart.runs.machine import cache_folder, give_back_memory
from headstart.runs.options import Options, parse_budget, text_of
from headstart.runs.planning import plan_of, planned_races
from headstart.runs.preparing import prepare, redrawn, write_split
from headstart.runs.probing import Probed, probe
from headstart.runs.ranking import HALVES, Progress, inputs_of, score_all, scored_images
from headstart.runs.study.backtested import Backtested
from headstart.strategies import TABLE, Strategy

RACE = ("packaged/*", "random/tf_efficientnet_lite0")
"""Who races by default: the packaged networks, and one that has learned nothing."""

PROBE = "probe"
"""Name, among the scores, of the best frozen probe: its accuracy out of fold."""

MOST_REPEATS = 50


@dataclass(frozen=True, kw_only=True)
class Races(Options):
    """The question of a back-test: `repeats` races, the seed of each one more than that of the one before."""

    repeats: int
    study: str = "ranking"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.repeats <= MOST_REPEATS:
            raise OptionError(f"{self.repeats} repeats are out of range.", f"Choose 1 to {MOST_REPEATS}.")
        if len(self.backbones) < 2:
            fact = f"{', '.join(self.backbones)} alone cannot be ranked."
            raise OptionError(fact, "Name two backbones or more (--backbone NAME --backbone NAME).")


def ranking(
    data: Data,
    out: Path | str,
    *,
    backbones: Sequence[str] = (),
    strategy: str = "all",
    budget: str | float = "20m",
    repeats: int = 3,
    seed: int = 0,
    size: int = 128,
    split: tuple[float, float, float] = (0.6, 0.2, 0.2),
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    progress: Progress = lambda stage, done, total: None,
    on_record: Callable[[Record], None] = lambda record: None,
) -> Backtested:
    """Back-test transferability scores: fine-tune every network, and see which score would have chosen well.

    Every repeat draws training and validation part anew, from all images but the test part of `fit` with the
    same seed, which is in no number. On its training part each network gets all ten scores, as `headstart.rank`
    gives them, and the accuracy of its best frozen probe, out of fold; then it is fine-tuned there, and
    judged on the validation part.

    Parameters
    ----------
    data, seed, size, split, device, max_pixels, progress, on_record : as in `headstart.fit`.
    out : the folder of records. If it holds the same question, unfinished, it goes on where it was.
    backbones : names or globs; `RACE` by default.
    strategy : how they are fine-tuned: a row of `headstart.strategies.TABLE` that trains from the source's weights.
    budget : time for everything; it becomes epochs, the same for every network, once.
    repeats : splits on which everything is done; one shows nothing about other splits.

    Returns
    -------
    What each score was worth.

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, a backbone, the machine or the folder.
    """
    started = time.perf_counter()
    options = Races(
        data=text_of(data) if isinstance(data, Path | str) else "arrays",
        backbones=tuple(resolve(backbones or RACE)),
        strategy=_tuned(strategy).name,
        budget=parse_budget(budget),
        repeats=repeats,
        seed=seed,
        size=size,
        split=(split[0], split[1], split[2]),
        metric="accuracy",
        margin=0.0,
        class_weight="none",
        device=device,
        max_pixels=max_pixels,
    )
    place = torch_device(device)
    labelled = read_labelled(data) if isinstance(data, Path | str) else labelled_arrays(*data)
    folder = Path(out).expanduser()
    refuse_inside(folder, labelled)
    journal = open_journal(folder, options.to_json(), what="ranking")
    keep_within_limit(cache_folder())
    context = Context(folder, journal, options, cache_folder(), place, progress, on_record)
    finished = journal.get("backtest")
    if finished is None:
        prepared, found = prepare(context, labelled)
        _race(context, prepared, found, repeats=repeats, started=started)
        finished = _judged(context, prepared, repeats=repeats)
        context.note(finished)
    return Backtested.of_json(finished.detail)


def _tuned(name: str) -> Strategy:
    row = TABLE.get(name)
    if row is None or not row.fine_tunes:
        known = [row.name for row in TABLE.values() if row.fine_tunes]
        fact = f"{name} is no way to fine-tune a network from its source's weights."
        raise OptionError(fact, f"Choose among {', '.join(known)}.")
    return row


def _race(context: Context, prepared: Prepared, found: Record, *, repeats: int, started: float) -> None:
    """The plan, the data, then network by network and repeat by repeat: what is not recorded yet."""
    record, row = context.journal.get("plan"), TABLE[context.options.strategy]
    if record is None:
        scored = len(scored_images(prepared))
        context.note(planned_races(context, prepared, row, races=repeats, scored=scored, started=started))
    else:
        context.on_record(record)
    if context.journal.get("data") is None:
        write_split(context, prepared)
        context.note(found)
    same_data(context, prepared)
    record = context.journal.get("plan")
    assert record is not None
    for repeat in range(repeats):
        at, drawn = _repeat(context, prepared, repeat)
        for number, name in enumerate(context.options.backbones):
            _cell(at, drawn, plan_of(record), row=row, name=name, label=f"{repeat}-{number}")
            give_back_memory()


def _repeat(context: Context, prepared: Prepared, repeat: int) -> tuple[Context, Prepared]:
    """A repeat's seed and split; the first has those of `fit`."""
    options = replace(context.options, seed=context.options.seed + repeat)
    return replace(context, options=options), redrawn(prepared, options) if repeat else prepared


def _cell(context: Context, prepared: Prepared, plan: Plan, *, row: Strategy, name: str, label: str) -> None:
    """One network in one repeat: its scores, and what fine-tuning makes of it."""
    journal = context.journal
    done = [journal.get(f"{what}/{label}") for what in ("scored", "candidate")]
    if None not in done:
        for record in done:
            assert record is not None
            context.on_record(record)
        return
    started = time.perf_counter()
    backbone = load(name, size=context.options.size)
    train, survey = prepared.split.train, prepared.survey
    features = extract(backbone, survey, train, cache=context.cache, device=context.device, progress=context.progress)
    indices = scored_images(prepared)
    probed = probe(context, prepared, features, indices=indices, title=f"heads on {name}")
    if done[0] is None:
        record = _scored(context, prepared, backbone, features, probed=probed, indices=indices, label=label)
        context.note(replace(record, cost={"seconds": time.perf_counter() - started, "images": features.computed}))
    source = Source(name, backbone.architecture, features, probed)
    run_candidate(context, prepared, plan, row=row, source=source, label=label, raced=False)
    for path in (f"{label}-0.safetensors", f"{label}-0-model.safetensors"):
        (context.folder / "work" / path).unlink(missing_ok=True)


def _scored(
    context: Context,
    prepared: Prepared,
    backbone: Backbone,
    features: Features,
    *,
    probed: Probed,
    indices: np.ndarray,
    label: str,
) -> Record:
    """All scores that a network can have, and the best probe, each with its replicates on the same halves."""
    y, seed = prepared.y[indices], context.options.seed
    drawn = evidence.halves(y, prepared.groups[indices], count=HALVES, seed=seed)
    inputs = inputs_of(backbone, features.of("top", [prepared.survey.ids[i] for i in indices]))
    found = score_all(backbone.name, tuple(SCORES.values()), inputs, y=y, drawn=drawn, progress=context.progress)
    right = probed.best.predicted == y
    value = float(right.mean())
    found[PROBE] = value, evidence.replicates(lambda half: float(right[half].mean()), value, drawn)
    return Record(
        f"scored/{label}",
        "scored",
        data=prepared.fingerprint,
        part="train",
        backbone=backbone.name,
        cut="+".join(probed.best.cuts),
        seed=seed,
        recipe={"head": probed.best.head, "penalty": probed.best.penalty},
        metrics={name: one for name, (one, _) in found.items()} | {"n": len(indices)},
        detail={"replicates": {name: spread.tolist() for name, (_, spread) in found.items()}},
    )


def _judged(context: Context, prepared: Prepared, *, repeats: int) -> Record:
    """The record ``backtest``: the scores of every repeat against what fine-tuning came to."""
    names = context.options.backbones
    cells = [[f"{repeat}-{number}" for number in range(len(names))] for repeat in range(repeats)]
    scored = [[_record(context, f"scored/{label}") for label in labels] for labels in cells]
    tuned = [[_record(context, f"candidate/{label}") for label in labels] for labels in cells]
    shared = [name for name in (*SCORES, PROBE) if all(name in one.metrics for row in scored for one in row)]
    values = np.array([[[one.metrics[name] for one in row] for row in scored] for name in shared])
    spread = np.array([[[one.detail["replicates"][name] for one in row] for row in scored] for name in shared], float)
    tied = np.array(
        [
            [evidence.rank(one[None], own[None]).tied for one, own in zip(value, each, strict=True)]
            for value, each in zip(values, spread, strict=True)
        ]
    )
    learned = np.array([not name.startswith("random/") for name in names])
    among = learned if learned.any() else ~learned
    races = [_race_of(context, prepared, row) for row in tuned]
    judged = backtest(values, tied, races, among=among, reference=shared.index(PROBE), seed=context.options.seed)
    found = Backtested.of(
        names,
        shared,
        judged,
        among=among,
        probes=values[shared.index(PROBE)].mean(axis=0),
        repeats=repeats,
        strategy=context.options.strategy,
        epochs=int(tuned[0][0].recipe["epochs"]),
        images=tuple(len(race.groups) for race in races),
        notes=tuple(_notes(prepared, names, shared, tuned)),
    )
    seconds = sum(one.cost["seconds"] for row in (*scored, *tuned) for one in row)
    return Record(
        "backtest",
        "backtest",
        data=prepared.fingerprint,
        part="val",
        strategy=context.options.strategy,
        seed=context.options.seed,
        cost={"seconds": seconds},
        detail=found.to_json(),
    )


def _record(context: Context, key: str) -> Record:
    record = context.journal.get(key)
    assert record is not None
    return record


def _race_of(context: Context, prepared: Prepared, tuned: Sequence[Record]) -> Race:
    """Which images of the validation part each network named rightly."""
    kept = [kept_predictions(context.folder / record.detail["predictions"]) for record in tuned]
    indices = kept[0][0]
    right = np.stack([shares.argmax(axis=1) == prepared.y[own] for own, shares in kept])
    return Race(right, prepared.groups[indices])


def _notes(
    prepared: Prepared, names: Sequence[str], shared: Sequence[str], tuned: Sequence[Sequence[Record]]
) -> list[str]:
    notes = list(prepared.labelled.notes)
    missing = [name for name in SCORES if name not in shared]
    if missing:
        notes.append(f"A network here has no classifier of its source, so {', '.join(missing)} cannot rank.")
    if len(tuned) > 1 and "val" in (prepared.labelled.parts or ()):
        notes.append("The data give the validation part: repeats differ by their training alone.")
    if len(names) < 6:
        notes.append(f"{len(names)} networks stand in few orders: weighted tau takes few values, and tells little.")
    stayed = [one.backbone for row in tuned for one in row if one.detail["curves"][0]["best_epoch"] == 0]
    if stayed:
        listed = ", ".join(f"{name} ({stayed.count(name)} of {len(tuned)} repeats)" for name in dict.fromkeys(stayed))
        notes.append(f"No epoch of fine-tuning improved on the head it began with: {listed}.")
    return notes + list(dict.fromkeys(one.detail["note"] for row in tuned for one in row if one.detail["note"]))
