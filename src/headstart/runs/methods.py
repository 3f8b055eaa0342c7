"""One way to adapt, fitted: what it makes of both domains, and the model that it ends as."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.backbones import Transferred, load
from headstart.data import folds
from headstart.evidence import softmax
from headstart.features import Features
from headstart.runs.context import Context
from headstart.runs.fitted import Fitted, Start, scored_rows
from headstart.runs.networks import on_images
from headstart.runs.pairing import Both
from headstart.runs.probing import rows_at
from headstart.shallow import Probe, head_module
from headstart.shallow.adapt import Adapted, Few, Shift
from headstart.strategies import Adaptation

FEW_FOLDS = 5


def on_features(context: Context, both: Both, row: Adaptation, start: Start) -> Fitted:
    """A method on stored features."""
    assert row.on_features is not None
    shift = start.shift
    found = row.on_features(shift)

    def arrays() -> dict[str, np.ndarray]:
        judged = target_rows(both, start, both.target.judged)
        return {
            "target": softmax(found.logits(shift.z_t)),
            "judged": softmax(found.logits(judged)),
            "held": softmax(found.source_logits(shift.held.z)),
            "kept": softmax(found.logits(shift.held.z)),
            "few": _few(row, found, shift, context.options.seed),
            "map_s": found.source(shift.z_s),
            "map_t": found.target(shift.z_t),
        }

    def model() -> Transferred:
        backbone = load(start.backbone, size=context.options.size)
        return Transferred(backbone, head_module(found.arrays()), cuts=start.probe.cuts, frozen="top").eval()

    return Fitted(model, arrays, "+".join(start.probe.cuts), found.weights, found.recipe)


FITTED_ON: dict[str, Callable[[Context, Both, Adaptation, Start], Fitted]] = {
    "features": on_features,
    "images": on_images,
}
"""How a row is fitted, by its `fitted_on`."""


def fit_method(context: Context, both: Both, row: Adaptation, start: Start) -> Fitted:
    """The model that a row of the table makes of both domains."""
    return FITTED_ON[row.fitted_on](context, both, row, start)


def target_rows(both: Both, start: Start, rows: np.ndarray) -> np.ndarray:
    """Features of target images at the probe's cuts, joined, ``(m, d)``."""
    ids = [both.target.survey.ids[i] for i in rows]
    return np.concatenate([start.target_features.of(cut, ids) for cut in start.probe.cuts], axis=1)


def shift_of(context: Context, both: Both, features: Features, target: Features, probe: Probe) -> Shift:
    """Both domains as methods on stored features see them; of very many images, `scored_rows`."""
    split, y, cuts, seed = both.source.split, both.source.y, probe.cuts, context.options.seed

    def joined(rows: np.ndarray) -> np.ndarray:
        return np.concatenate(list(rows_at(features, both.source, rows, cuts).values()), axis=1)

    def of_target(rows: np.ndarray) -> np.ndarray:
        ids = [both.target.survey.ids[i] for i in rows]
        return np.concatenate([target.of(cut, ids) for cut in cuts], axis=1)

    rows, adapted = scored_rows(both, seed=seed)
    few = Few(of_target(both.target.few), both.target.few_y) if len(both.target.few) else None
    assert isinstance(probe.penalty, float)
    return Shift(
        joined(rows),
        y[rows],
        Few(joined(split.val), y[split.val]),
        of_target(adapted),
        both.source.k,
        penalty=probe.penalty,
        seed=seed,
        few=few,
    )


def _few(row: Adaptation, found: Adapted, shift: Shift, seed: int) -> np.ndarray:
    """Probabilities of the few labelled target images; of a row that reads them, out of fold, or ``(0, k)``."""
    if shift.few is None:
        return np.empty((0, shift.k))
    if not row.reads_few:
        return softmax(found.logits(shift.few.z))
    assert row.on_features is not None
    out = np.empty((len(shift.few.y), shift.k))
    per_class = int(np.bincount(shift.few.y).min())
    if per_class < 2:
        # With one label of a class there is nothing to leave out: such a row cannot be judged on them.
        return np.empty((0, shift.k))
    groups = np.arange(len(out))
    for _, held in folds(shift.few.y, groups, min(FEW_FOLDS, per_class), seed=seed):
        out[held] = softmax(row.on_features(shift.without(held)).logits(shift.few.z[held]))
    return out
