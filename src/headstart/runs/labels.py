"""How many labels: what accuracy has grown to, and what more labels would bring, or fewer would have cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.backbones import Backbone, load, load_random
from headstart.data import folds
from headstart.errors import OptionError
from headstart.evidence.growing import Draw, accuracies
from headstart.evidence.learning_curves import Curve, Forecast, crossing, fit_curve, forecast, gain
from headstart.evidence.replicates import means
from headstart.features import Features, extract
from headstart.problem import Labelled, labelled_arrays, read_labelled
from headstart.records import Record
from headstart.report.growth import draw_growth
from headstart.runs.context import Context, Prepared
from headstart.runs.fit import Data, torch_device
from headstart.runs.folder import open_journal, refuse_inside
from headstart.runs.growing import WHAT, Start, grow, planned_growth
from headstart.runs.grown import LEVEL, Frozen, Labels
from headstart.runs.machine import cache_folder
from headstart.runs.options import MEMORY, Options, parse_budget, text_of
from headstart.runs.preparing import read
from headstart.runs.probing import FOLDS, head_rows, rows_at
from headstart.runs.sampling import nested_draws
from headstart.runs.trainings import trainings
from headstart.shallow import HEADS, best, screen
from headstart.strategies import TABLE

Progress = Callable[[str, int, int], None]

MOST_REPLICATES = 200


@dataclass(frozen=True, eq=False)
class _Grown:
    """A frozen network's features of the pool, its accuracies ``(replicates, s)``, and their curve."""

    features: Features
    values: np.ndarray
    frozen: Frozen
    curve: Curve


def labels(
    data: Data,
    *,
    backbone: str = "packaged/efficientnet_lite0",
    size: int = 128,
    seed: int = 0,
    more: int = 200,
    replicates: int = 10,
    finetune: bool = False,
    strategy: str = "all",
    out: Path | str | None = None,
    budget: str | float = "8m",
    progress: Progress = lambda stage, done, total: None,
) -> Labels:
    """Measure how accuracy grows with the number of labels, and forecast what more would bring.

    Parameters
    ----------
    data : as in `headstart.fit`.
    backbone : what is frozen, by name.
    size : side of the squares that images are resized to, in pixels.
    seed : of the split and of the nested draws.
    more : further labels to forecast.
    replicates : curves that are measured, each judged on another fifth of the images; 5 judge each image once.
    finetune : measure curves of the fine-tuned network, and of one trained from scratch, too.
    strategy : what is fine-tuned: a row of `headstart.strategies.TABLE` that trains.
    out : the folder of these trainings; if it holds the same question, they go on where they were.
    budget : time for all of it, with `finetune`; it is turned into a plan of trainings, once.
    progress : told (stage, done, total).

    Raises
    ------
    HeadstartError : what is wrong with the data, an option, the machine or the folder.
    """
    started = time.perf_counter()
    _check(more, replicates, finetune=finetune, strategy=strategy, out=out)
    options = Options(
        data=text_of(data) if isinstance(data, Path | str) else "arrays",
        backbones=(backbone,),
        seed=seed,
        size=size,
        split=(0.6, 0.2, 0.2),
        device="auto",
        strategy=strategy,
        budget=parse_budget(budget),
        metric="accuracy",
        margin=0.0,
        class_weight="none",
    )
    labelled = read_labelled(data) if isinstance(data, Path | str) else labelled_arrays(*data)
    context = _context(out, options, labelled, replicates=replicates, progress=progress) if out is not None else None
    network = load(backbone, size=size)
    prepared = read(labelled, options, cache=cache_folder(), progress=progress)
    pool = np.sort(np.concatenate([prepared.split.train, prepared.split.val]))
    sizes, draws = nested_draws(prepared.y[pool], prepared.groups[pool], replicates=replicates, seed=seed)
    random = load_random(network.architecture, size=size, seed=seed)
    one, other = (
        _grown(prepared, each, pool=pool, sizes=sizes, draws=draws, seed=seed, progress=progress)
        for each in (network, random)
    )
    n = len(pool)
    found = Labels(
        labels=n,
        sizes=sizes,
        transferred=one.frozen,
        control=other.frozen,
        crossing=crossing(one.curve, other.curve, level=LEVEL),
        now=forecast(one.curve, n, level=LEVEL),
        more=more,
        gain=gain(one.curve, n, more, level=LEVEL),
        half_cost=_negated(gain(one.curve, n, -n / 2, level=LEVEL)),
        left_out=len(prepared.survey.broken),
    )
    if context is None:
        return found
    start = Start(network, one.features, pool, draws)
    growth = planned_growth(context, prepared, start, sizes=sizes, started=started)
    records = grow(context, prepared, start, growth)
    trained = trainings(growth, records, sizes=sizes, frozen=one.values, labels=n, more=more, seed=seed)
    return _kept(context, prepared, replace(found, trained=trained))


def _kept(context: Context, prepared: Prepared, found: Labels) -> Labels:
    """The answer as a record, where it is not there yet, and its picture."""
    seed, detail = context.options.seed, found.to_json()
    record = Record("labels", "labels", data=prepared.fingerprint, seed=seed, detail=detail)
    before = context.journal.get(record.key)
    if before is None or before.to_json() != record.to_json():
        context.note(record)
    draw_growth(context.folder)
    return found


def _check(more: int, replicates: int, *, finetune: bool, strategy: str, out: Path | str | None) -> None:
    if more < 1:
        raise OptionError(f"{more} further labels are none.", "Ask for 1 or more.")
    if not 1 <= replicates <= MOST_REPLICATES:
        raise OptionError(f"{replicates} replicates are out of range.", f"Choose 1 to {MOST_REPLICATES}.")
    if finetune and out is None:
        raise OptionError("Networks are trained for minutes, and no folder was named to keep it in.", "Give --out RUN.")
    if out is not None and not finetune:
        raise OptionError("Nothing is written where nothing is trained.", "Leave --out out, or add --finetune.")
    row = TABLE.get(strategy)
    if row is None or not row.fine_tunes:
        trainable = [row.name for row in TABLE.values() if row.fine_tunes]
        raise OptionError(f"{strategy} is no way to fine-tune.", f"Choose among {', '.join(trainable)}.")


def _context(out: Path | str, options: Options, labelled: Labelled, *, replicates: int, progress: Progress) -> Context:
    folder = Path(out).expanduser()
    refuse_inside(folder, labelled)
    journal = open_journal(folder, options.to_json() | {"replicates": replicates}, what=WHAT)
    return Context(folder, journal, options, cache_folder(), torch_device("auto"), progress, lambda record: None)


def _grown(
    prepared: Prepared,
    backbone: Backbone,
    *,
    pool: np.ndarray,
    sizes: tuple[int, ...],
    draws: Sequence[Draw],
    seed: int,
    progress: Progress,
) -> _Grown:
    """Accuracies of one frozen network at the cut that is best on the training part."""
    features = extract(
        backbone, prepared.survey, pool, cache=cache_folder(), device=torch_device("auto"), progress=progress
    )
    rows = head_rows(prepared, features, prepared.split.train, memory=MEMORY)
    y, groups = prepared.y[rows], prepared.groups[rows]
    parts = folds(y, groups, min(FOLDS, len(np.unique(groups))), seed=seed)
    cut = best(screen(rows_at(features, prepared, rows), y, parts)).cuts[0]
    z = rows_at(features, prepared, pool, [cut])[cut]

    def tell(done: int) -> None:
        progress(f"curves of {backbone.name}", done, len(draws))

    values = curves(z, prepared.y[pool], draws, sizes=sizes, tell=tell)
    points = means(values, independent=FOLDS, level=LEVEL)
    curve = fit_curve(sizes, values, independent=FOLDS, seed=seed)
    return _Grown(features, values, Frozen(backbone.name, cut, points), curve)


def curves(
    z: np.ndarray,
    y: np.ndarray,
    draws: Sequence[Draw],
    *,
    sizes: Sequence[int],
    tell: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Accuracies ``(replicates, s)`` of a ridge on features z ``(n, d)``, one row a draw."""
    penalties = [float(penalty) for penalty in HEADS["ridge"].penalties if penalty is not None]
    values = []
    for done, draw in enumerate(draws, 1):
        values.append(accuracies(z, y, draw, sizes=sizes, penalties=penalties))
        tell(done)
    return np.array(values)


def _negated(found: Forecast) -> Forecast:
    """A loss told as a cost."""
    if found.low is None or found.high is None:
        return Forecast(-found.value, None, None)
    return Forecast(-found.value, -found.high, -found.low)
