"""What adaptation has to beat: the source's head as it is, and a head of the few labelled target images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from headstart.evidence import ridge
from headstart.evidence.calibration import fit_temperature
from headstart.shallow.adapt.shift import Adapted, Affine, Map, Shift, calibrated, fitted
from headstart.shallow.heads import HEADS
from headstart.shallow.linear import Indices, Singles
from headstart.shallow.threads import one_thread

PENALTIES = tuple(float(penalty) for penalty in HEADS["ridge"].penalties if penalty is not None)
"""The most cautious first, so that ties go to caution."""


def source_only(shift: Shift) -> Adapted:
    """The head that is best on the source, as it is: no label and no image of the target enters it."""
    return fitted(shift)


def target_only(shift: Shift) -> Adapted:
    """Ridge on the few labelled target images alone; its penalty by leaving each of them out."""
    assert shift.few is not None
    penalty, logits = left_out(shift.few.z, shift.few.y, shift.k)
    with one_thread():
        found = ridge.fit(shift.few.z, np.eye(shift.k)[shift.few.y], [penalty])
    temperature = fit_temperature(logits, shift.few.y)
    settings = {"head": "ridge", "penalty": penalty, "labels": len(shift.few.y)}
    return Adapted(found.weight[0], found.bias[0], temperature=temperature, recipe=settings)


def tuned(shift: Shift, *, source: Map, target: Affine, recipe: dict[str, object]) -> Adapted:
    """Ridge in a space of a method's own, where the source's penalty means nothing: it is chosen anew on it."""
    z = source(shift.z_s)
    penalty, _ = left_out(z, shift.y_s, shift.k)
    with one_thread():
        head = ridge.fit(z, np.eye(shift.k)[shift.y_s], [penalty])
    found = Adapted(head.weight[0], head.bias[0], source, target)
    return replace(calibrated(found, shift), recipe={"head": "ridge", "penalty": penalty, **recipe})


def left_out(
    z: Singles, y: Indices, k: int, *, start: Callable[[Singles], np.ndarray] | None = None
) -> tuple[float, np.ndarray]:
    """The penalty under which most rows are predicted right by all others, and their predictions ``(n, k)``.

    Parameters
    ----------
    start : scores ``(n, k)`` that the ridge is fitted to what is missing from; none by default.
    """
    base = np.zeros((len(z), k)) if start is None else start(z)
    with one_thread():
        logits = ridge.leave_one_out(z, np.eye(k)[y] - base, PENALTIES) + base
    right = [(each.argmax(1) == y).mean() for each in logits]
    best = int(np.argmax(right))
    return PENALTIES[best], logits[best]
