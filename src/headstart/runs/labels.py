"""How many labels: what accuracy has grown to, and what more labels would bring, or fewer would have cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from headstart.backbones import Backbone, load, load_random
from headstart.data import folds
from headstart.errors import OptionError
from headstart.evidence.growing import Draw, accuracies, nested_order
from headstart.evidence.learning_curves import Curve, Forecast, crossing, fit_curve, forecast, gain
from headstart.features import extract
from headstart.problem import labelled_arrays, read_labelled
from headstart.runs.context import Prepared
from headstart.runs.fit import Data, torch_device
from headstart.runs.machine import cache_folder
from headstart.runs.options import MEMORY, Reading, text_of
from headstart.runs.preparing import read
from headstart.runs.probing import FOLDS, head_rows, rows_at
from headstart.shallow import HEADS, best, screen

Progress = Callable[[str, int, int], None]

LEVEL = 0.8
"""Probability of the intervals."""
SIZES = 6
SPAN = 16
"""The largest size over the smallest, where every class has two labels in that."""
MOST_REPLICATES = 200


@dataclass(frozen=True)
class Frozen:
    """The learning curve of one frozen network.

    Attributes
    ----------
    backbone, cut : whose features, chosen by ridge out of fold on the training part.
    points : accuracy at every size, the mean over replicates, with its interval.
    """

    backbone: str
    cut: str
    points: tuple[Forecast, ...]


@dataclass(frozen=True)
class Labels:
    """What `labels` found; shares, with 80 % intervals (None with one replicate).

    Attributes
    ----------
    labels : how many there are to learn from: training and validation part together. The test part is in no number.
    sizes : numbers of labels that were measured, ascending.
    transferred, control : the backbone, and the same architecture with random weights.
    crossing : the number of labels from which the one that is behind at first is ahead; None where they do not cross.
    now : accuracy with all labels, forecast.
    more, gain : so many further labels, and what they would bring.
    half_cost : what half of the labels would have cost.
    left_out : images that could not be read.
    """

    labels: int
    sizes: tuple[int, ...]
    transferred: Frozen
    control: Frozen
    crossing: Forecast | None
    now: Forecast
    more: int
    gain: Forecast
    half_cost: Forecast
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """As one document."""
        return asdict(self) | {"level": LEVEL, "metric": "accuracy"}


def labels(
    data: Data,
    *,
    backbone: str = "packaged/efficientnet_lite0",
    size: int = 128,
    seed: int = 0,
    more: int = 200,
    replicates: int = 10,
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
    progress : told (stage, done, total).

    Raises
    ------
    HeadstartError : what is wrong with the data, an option or the machine.
    """
    if more < 1:
        raise OptionError(f"{more} further labels are none.", "Ask for 1 or more.")
    if not 1 <= replicates <= MOST_REPLICATES:
        raise OptionError(f"{replicates} replicates are out of range.", f"Choose 1 to {MOST_REPLICATES}.")
    asked = Reading(
        data=text_of(data) if isinstance(data, Path | str) else "arrays",
        backbones=(backbone,),
        seed=seed,
        size=size,
        split=(0.6, 0.2, 0.2),
        device="auto",
    )
    labelled = read_labelled(data) if isinstance(data, Path | str) else labelled_arrays(*data)
    network = load(backbone, size=size)
    prepared = read(labelled, asked, cache=cache_folder(), progress=progress)
    random = load_random(network.architecture, size=size, seed=seed)
    (sizes, frozen, curve), (_, control, behind) = (
        _grown(prepared, each, replicates=replicates, seed=seed, progress=progress) for each in (network, random)
    )
    n = len(prepared.split.train) + len(prepared.split.val)
    return Labels(
        labels=n,
        sizes=sizes,
        transferred=frozen,
        control=control,
        crossing=crossing(curve, behind, level=LEVEL),
        now=forecast(curve, n, level=LEVEL),
        more=more,
        gain=gain(curve, n, more, level=LEVEL),
        half_cost=_negated(gain(curve, n, -n / 2, level=LEVEL)),
        left_out=len(prepared.survey.broken),
    )


def _grown(
    prepared: Prepared, backbone: Backbone, *, replicates: int, seed: int, progress: Progress
) -> tuple[tuple[int, ...], Frozen, Curve]:
    """Sizes, points and curve of one network, at the cut that is best on the training part."""
    pool = np.sort(np.concatenate([prepared.split.train, prepared.split.val]))
    survey, device = prepared.survey, torch_device("auto")
    features = extract(backbone, survey, pool, cache=cache_folder(), device=device, progress=progress)
    rows = head_rows(prepared, features, prepared.split.train, memory=MEMORY)
    y, groups = prepared.y[rows], prepared.groups[rows]
    parts = folds(y, groups, min(FOLDS, len(np.unique(groups))), seed=seed)
    cut = best(screen(rows_at(features, prepared, rows), y, parts)).cuts[0]
    z = rows_at(features, prepared, pool, [cut])[cut]

    def tell(done: int) -> None:
        progress(f"curves of {backbone.name}", done, replicates)

    sizes, values = curves(z, prepared.y[pool], prepared.groups[pool], replicates=replicates, seed=seed, tell=tell)
    curve = fit_curve(sizes, values, independent=FOLDS, seed=seed)
    return sizes, Frozen(backbone.name, cut, _points(values)), curve


def curves(
    z: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    *,
    replicates: int,
    seed: int,
    tell: Callable[[int], None] = lambda done: None,
) -> tuple[tuple[int, ...], np.ndarray]:
    """Sizes ``(s,)`` and accuracies ``(replicates, s)`` of a ridge on features z ``(n, d)``.

    Each replicate is judged on one fold, and grows nested samples in the others; when every fold was judged, new
    folds are drawn. Groups are on one side, and in one of the folds that the penalty is chosen in.
    """
    count = min(FOLDS, len(np.unique(groups)))
    rounds = [folds(y, groups, count, seed=seed + i) for i in range(-(-replicates // count))]
    sides = [side for parts in rounds for side in parts][:replicates]
    sizes = _sizes(min(len(fit) for fit, _ in sides), classes=len(np.unique(y)))
    penalties = [float(penalty) for penalty in HEADS["ridge"].penalties if penalty is not None]
    values = []
    for i, (fit, held) in enumerate(sides):
        inner = np.zeros(len(fit), dtype=np.intp)
        for number, (_, own) in enumerate(_inner(y[fit], groups[fit], seed=seed + i)):
            inner[own] = number
        order = nested_order(y[fit], groups[fit], seed=seed + i)
        draw = Draw(fit[order], inner[order], held)
        values.append(accuracies(z, y, draw, sizes=sizes, penalties=penalties))
        tell(i + 1)
    return sizes, np.array(values)


def _inner(y: np.ndarray, groups: np.ndarray, *, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    count = min(FOLDS, len(np.unique(groups)))
    return folds(y, groups, count, seed=seed) if count > 1 else []


def _sizes(largest: int, *, classes: int) -> tuple[int, ...]:
    smallest = max(2, min(largest // 2, max(largest // SPAN, 2 * classes)))
    return tuple(np.unique(np.geomspace(smallest, largest, SIZES).round().astype(int)).tolist())


def _points(values: np.ndarray) -> tuple[Forecast, ...]:
    """Means over replicates; of these, those of one round of folds are independent."""
    mean, worth = values.mean(axis=0), min(len(values), FOLDS)
    if worth < 2:
        return tuple(Forecast(float(value), None, None) for value in mean)
    half = stats.t.ppf((1 + LEVEL) / 2, worth - 1) * values.std(axis=0, ddof=1) / np.sqrt(worth)
    return tuple(
        Forecast(float(m), max(0.0, float(m - h)), min(1.0, float(m + h))) for m, h in zip(mean, half, strict=True)
    )


def _negated(found: Forecast) -> Forecast:
    """A loss told as a cost."""
    if found.low is None or found.high is None:
        return Forecast(-found.value, None, None)
    return Forecast(-found.value, -found.high, -found.low)
