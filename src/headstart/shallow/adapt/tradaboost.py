"""TrAdaBoost: source images that contradict the few labelled target images lose their say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.shallow.adapt.shift import Adapted, Shift, calibrated
from headstart.shallow.linear import Doubles
from headstart.shallow.ridge import RidgeHead
from headstart.shallow.threads import one_thread

ROUNDS = 10


def tradaboost(shift: Shift) -> Adapted:
    """Ridge heads boosted on the source and the few labelled target images together.

    In round t a head is fitted to all images by their weights. With its weighted error ε on the target images, at
    most 0.49, and β_t = ε / (1 − ε), β = 1 / (1 + √(2 ln n_s / N)):

        w ← w · β       for source images that it predicts wrong: they are not like the target,
        w ← w / β_t     for target images that it predicts wrong: they are to be learned.

    The heads of the later half of the N rounds vote with log(1/β_t). Dai, Yang, Xue & Yu, *Boosting for Transfer
    Learning*, ICML 2007. There, heads vote with their class; here with their scores, so that the vote is one
    linear head again.
    """
    assert shift.few is not None
    z, y = np.concatenate([shift.z_s, shift.few.z]), np.concatenate([shift.y_s, shift.few.y])
    heads, says = boost(z, y, n_source=len(shift.y_s), penalty=shift.penalty)
    weight = np.tensordot(says, np.stack([head.weight_ for head in heads]).astype("f8"), axes=1)
    bias = says @ np.stack([head.bias_ for head in heads]).astype("f8")
    found = calibrated(Adapted(weight, bias), shift)
    settings = {"head": "ridge", "penalty": shift.penalty, "rounds": ROUNDS, "labels": len(shift.few.y)}
    return replace(found, recipe=settings)


def boost(
    z: np.ndarray, y: np.ndarray, *, n_source: int, penalty: float, rounds: int = ROUNDS
) -> tuple[list[RidgeHead], Doubles]:
    """Heads of the later half of the rounds, and their shares of the vote, which add up to one.

    Parameters
    ----------
    z, y : features ``(n, d)`` and classes ``(n,)``; the first `n_source` rows are the source's.
    """
    weights = np.ones(len(y))
    fade = 1 / (1 + np.sqrt(2 * np.log(n_source) / rounds))
    heads, says = [], []
    for _ in range(rounds):
        weights /= weights.mean()
        with one_thread():
            head = RidgeHead(penalty).fit_weighted(z, y, weights)
        wrong = head.predict(z) != y
        target = weights[n_source:]
        error = float(np.clip(target @ wrong[n_source:] / target.sum(), 1e-3, 0.49))
        odds = error / (1 - error)
        heads.append(head)
        says.append(-np.log(odds))
        weights[:n_source] *= np.where(wrong[:n_source], fade, 1.0)
        weights[n_source:] *= np.where(wrong[n_source:], 1 / odds, 1.0)
    later = rounds // 2
    kept = np.array(says[later:])
    return heads[later:], kept / kept.sum()
