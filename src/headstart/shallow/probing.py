"""Which cut, which head, which penalty: chosen out-of-fold on training rows, without the backbone.

First every cut is screened with ridge, in closed form. Then the cheap heads compete at the few
cuts that the screening shortlists, and logistic regression at the best of these. The value of a probe is the
best over its penalties on the rows that they were compared on, so it is slightly flattering;
`headstart.evidence.best_of` corrects for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError, OptionError
from headstart.evidence import ridge
from headstart.evidence.calibration import fit_temperature
from headstart.evidence.metrics import METRICS, Classes
from headstart.shallow.heads import HEADS, Head, HeadRow, Penalty
from headstart.shallow.linear import Indices, Singles, row_weights
from headstart.shallow.logistic import LogisticHead
from headstart.shallow.threads import one_thread

Folds = Sequence[tuple[Classes, Classes]]
Features = Mapping[str, Singles]

HELD = 400 * 2**20
"""Bytes of features that folds side by side may hold copies of."""
WIDEST = 2560
"""Features that cuts are joined up to: beyond it their Gram matrix, not their images, takes the time."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A head at a cut (or at several, joined) with the best of its penalties, measured out-of-fold.

    Attributes
    ----------
    cuts : names of the cuts whose features are joined, in the backbone's order.
    head, penalty : a row of `HEADS` and the value of its knob; None where it has none or estimates it.
    metric, value : what was compared, and the best of it.
    class_weight : ``"balanced"`` where classes weighed equally in fitting, else None.
    predicted, logits : of every row by the model that did not see it, ``(n,)`` and ``(n, k)``.
    temperature : fitted to these logits.
    width : features in all.
    seconds : time it took.
    """

    cuts: tuple[str, ...]
    head: str
    penalty: Penalty
    metric: str
    class_weight: str | None
    value: float
    predicted: Indices
    logits: Singles
    temperature: float
    width: int
    seconds: float


def screen(
    z: Features,
    y: Classes,
    folds: Folds,
    *,
    metric: str = "accuracy",
    class_weight: str | None = None,
    progress: Callable[[Probe], None] | None = None,
) -> list[Probe]:
    """Ridge at every cut, one probe a cut, in the order of `z`.

    Parameters
    ----------
    z : features of the training rows at every cut, ``(n, d)`` float32, in the backbone's order.
    y : classes 0 … k − 1, ``(n,)``.
    folds : pairs of row numbers (to fit to, to evaluate on); every row is evaluated once.
    metric : a name in `headstart.evidence.METRICS`.
    class_weight : ``"balanced"`` weighs the classes equally in fitting, None the images.
    progress : called with every probe when it is done.

    Raises
    ------
    OptionError : the metric is unknown.
    InternalError : the folds do not evaluate every row once, by a model of all other rows.
    """
    widest_first = sorted(z, key=lambda cut: -z[cut].shape[1])
    together = min(os.cpu_count() or 1, len(z), max(1, HELD // (4 * z[widest_first[0]].nbytes)))

    def probe(cut: str) -> Probe:
        return _probe((cut,), HEADS["ridge"], z, y, folds, metric, class_weight, workers=1 if together > 1 else None)

    # Limited here too, so that what one thread gives back at its end is not more than another may use.
    with one_thread(), ThreadPoolExecutor(together) as pool:
        under_way = {cut: pool.submit(probe, cut) for cut in widest_first}
        return [_done(under_way[cut].result(), progress) for cut in z]


def compete(
    z: Features,
    y: Classes,
    folds: Folds,
    *,
    cuts: Sequence[tuple[str, ...]],
    metric: str = "accuracy",
    class_weight: str | None = None,
    screened: Sequence[Probe] = (),
    heads: Container[str] = HEADS,
    progress: Callable[[Probe], None] | None = None,
) -> list[Probe]:
    """Every cheap head at every entry of `cuts` (several names: joined), one probe each; then the dear ones.

    These are fitted step by step: they compete at the first entry (the customary choice), at the widest, and
    where a cheap head is best.

    Probes that the screening, with the same arguments, has already measured are taken from `screened`.
    Of the table only `heads` take part, and where a fold leaves one class alone to fit to, of these the ridge: it is in
    closed form, and the others need two. Other parameters as in `screen`.
    """
    known = {(probe.cuts, probe.head): probe for probe in screened}
    probes: list[Probe] = []

    def measure(entries: Sequence[tuple[str, ...]], rows: Sequence[HeadRow]) -> None:
        for entry in entries:
            for row in rows:
                probe = known.get((entry, row.name)) or _probe(entry, row, z, y, folds, metric, class_weight)
                probes.append(_done(probe, progress))

    two = all(len(np.unique(y[fit])) > 1 for fit, _ in folds)
    rows = [row for row in HEADS.values() if row.name in heads and (two or row.name == "ridge")]
    measure(cuts, [row for row in rows if not row.dear])
    measure(_finalists(cuts, probes), [row for row in rows if row.dear])
    return probes


def _finalists(cuts: Sequence[tuple[str, ...]], probes: Sequence[Probe]) -> list[tuple[str, ...]]:
    """Where the dear heads compete: at the first entry, at the widest, and where a cheap head is best."""
    widest = max(probes, key=lambda probe: probe.width).cuts
    return [entry for entry in cuts if entry in (cuts[0], widest, best(probes).cuts)]


def shortlist(screened: Sequence[Probe], *, last: str) -> list[tuple[str, ...]]:
    """The cuts at which the cheap heads compete, at most five entries, doubles dropped.

    The last cut, as the customary choice; the two cuts of highest value; these two joined; and as many
    cuts as `WIDEST` features hold, best first, joined, so that a layer that is weak alone may still add to
    the others (Evci et al., *Head2Toe*, ICML 2022, at the level of whole layers).
    """
    ranked = sorted(screened, key=lambda probe: -probe.value)
    first, second = ranked[0], ranked[min(1, len(ranked) - 1)]
    joined, width = [], 0
    for probe in ranked:
        if width + probe.width <= WIDEST:
            joined.append(probe.cuts[0])
            width += probe.width
    order = [probe.cuts[0] for probe in screened]
    pair = sorted({first.cuts[0], second.cuts[0]}, key=order.index)
    wanted = [(last,), first.cuts, second.cuts, tuple(pair), tuple(sorted(joined, key=order.index))]
    return list(dict.fromkeys(entry for entry in wanted if entry))


def best(probes: Sequence[Probe]) -> Probe:
    """The probe of highest value; between equals the fewer cuts, then the fewer features, then the first."""
    return min(probes, key=lambda probe: (-probe.value, len(probe.cuts), probe.width))


def fit_probe(probe: Probe, z: Features, y: Classes) -> Head:
    """The probe's head fitted to all given rows, with the temperature of its out-of-fold logits."""
    row = HEADS[probe.head]
    estimator = _estimator(row, probe.penalty, probe.class_weight)
    estimator.set_params(temperature=probe.temperature)
    features, rows = _joined(z, probe.cuts), evenly(np.arange(len(y)), y, row.rows)
    if len(rows) < len(y):
        features, y = features[rows], y[rows]
    with one_thread():
        estimator.fit(features, y)
    return estimator


def _probe(
    cuts: tuple[str, ...],
    row: HeadRow,
    z: Features,
    y: Classes,
    folds: Folds,
    metric: str,
    class_weight: str | None,
    *,
    workers: int | None = None,
) -> Probe:
    if metric not in METRICS:
        raise OptionError(f"there is no metric {metric!r}", f"Choose one of {', '.join(METRICS)}.")
    started = time.perf_counter()
    features = _joined(z, cuts)
    out_of_fold = _ridge_out_of_fold if row.name == "ridge" else _out_of_fold
    # Folds side by side, on one thread each.
    with one_thread():
        logits = out_of_fold(row, features, y, folds, class_weight, workers or _workers(folds, features))
    values = [float(METRICS[metric](y, each.argmax(axis=1))) for each in logits]
    at = int(np.argmax(values))
    return Probe(
        cuts=cuts,
        head=row.name,
        penalty=row.penalties[at],
        metric=metric,
        class_weight=class_weight,
        value=values[at],
        predicted=logits[at].argmax(axis=1),
        logits=logits[at].copy(),
        temperature=fit_temperature(logits[at], y),
        width=features.shape[1],
        seconds=time.perf_counter() - started,
    )


def _ridge_out_of_fold(
    row: HeadRow, z: Singles, y: Classes, folds: Folds, class_weight: str | None, workers: int
) -> NDArray[np.float32]:
    """Logits ``(p, n, k)`` of all penalties, in closed form."""
    k = int(y.max()) + 1
    penalties = [float(penalty) for penalty in row.penalties if penalty is not None]
    weights = row_weights(y, k, class_weight)
    return ridge.out_of_fold(z, np.eye(k)[y], _fold_of(folds, len(y)), penalties, weights=weights, workers=workers)


def _out_of_fold(
    row: HeadRow, z: Singles, y: Classes, folds: Folds, class_weight: str | None, workers: int
) -> NDArray[np.float32]:
    """Logits ``(p, n, k)`` of all penalties; a class that a fold has no row of gets the row's lowest logit."""
    _fold_of(folds, len(y))
    out = np.empty((len(row.penalties), len(z), int(y.max()) + 1), dtype=np.float32)

    def one(fit: Classes, held: Classes) -> None:
        rows = evenly(fit, y, row.rows)
        for i, fitted in enumerate(_fitted(row, z[rows], y[rows], class_weight)):
            logits = fitted.decision_function(z[held])
            out[i, held] = logits.min(axis=1, keepdims=True)
            out[i, held[:, None], fitted.classes_] = logits

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, *zip(*folds, strict=True)))
    return out


def _fitted(row: HeadRow, z: Singles, y: Classes, class_weight: str | None) -> Iterator[Head]:
    """The head with each of its penalties."""
    first = _estimator(row, row.penalties[0], class_weight)
    if isinstance(first, LogisticHead):
        yield from first.path(z, y, [float(penalty) for penalty in row.penalties if penalty is not None])
        return
    for penalty in row.penalties:
        yield _estimator(row, penalty, class_weight).fit(z, y)


def _workers(folds: Folds, z: Singles) -> int:
    """Folds at a time: each copies features, so where these are many, one after the other."""
    return min(len(folds), os.cpu_count() or 1, max(1, HELD // z.nbytes))


def _estimator(row: HeadRow, penalty: Penalty, class_weight: str | None) -> Head:
    estimator = row.make(penalty)
    if "class_weight" in estimator.get_params():
        estimator.set_params(class_weight=class_weight)
    return estimator


def evenly(rows: Classes, y: Classes, most: int | None) -> Classes:
    """At most `most` of the rows, the same share of every class and at least one row of each."""
    if most is None or len(rows) <= most:
        return rows
    mixed = np.random.default_rng(0).permutation(rows)
    by_class = mixed[np.argsort(y[mixed], kind="stable")]
    counts = np.bincount(y[by_class])
    rank = np.arange(len(by_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[np.argsort(rank / counts[y[by_class]], kind="stable")[:most]])


def _joined(z: Features, cuts: tuple[str, ...]) -> Singles:
    return z[cuts[0]] if len(cuts) == 1 else np.concatenate([z[cut] for cut in cuts], axis=1)


def _fold_of(folds: Folds, n: int) -> Indices:
    """Number of the fold that evaluates each row."""
    fold, times = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for i, (fit, held) in enumerate(folds):
        fold[held] = i
        times[held] += 1
        if len(np.unique(np.concatenate([fit, held]))) != n or len(fit) + len(held) != n:
            raise InternalError(f"fold {i} fits to {len(fit)} and evaluates {len(held)} of {n} rows, not all of them")
    if not (times == 1).all():
        raise InternalError("the folds do not evaluate every row once")
    return fold


def _done(probe: Probe, progress: Callable[[Probe], None] | None) -> Probe:
    if progress is not None:
        progress(probe)
    return probe
