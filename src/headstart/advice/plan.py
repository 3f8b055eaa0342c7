"""A budget becomes a plan of work units, once; what is computed afterwards follows the plan, not the clock.

The costs come from a short calibration. The plan is the run's first record, and everything in it is
a pure function of its arguments, so that resuming a run replays it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headstart.strategies import TABLE, Strategy

FEWEST_EPOCHS = 8
"""Fewer epochs of fine-tuning than this hardly outlast the disturbance of the first ones."""
MOST_EPOCHS = 16
MOST_SCRATCH_EPOCHS = 40
STOP_SHARE = 0.15
"""Share of the training images that decide when to stop."""
FOLDS = 3
FEWEST_VALIDATION = 200
"""With fewer validation images than this, finalists are compared out-of-fold instead."""
SAFETY = 0.85
"""Share of the time left that is planned for: a calibration of seconds is a rough measure."""
START = 4.0
"""Seconds that a training costs beside its epochs: loading the network, judging it, keeping what it gave."""
DROPPED_FIRST = ("last_block", "all", "scratch", "upper_half")
"""What is given up, in this order, where the budget does not allow the fewest epochs for everything.

Few candidates with enough epochs say more than many with too few: one partial fine-tuning, that of
everything and the control stand for the whole ladder.
"""


@dataclass(frozen=True)
class Calibration:
    """Measured seconds per image of one backbone.

    Attributes
    ----------
    forward : through the whole network, in evaluation mode.
    step : by strategy, of a training step (forward, backward, update).
    heads : of the competition of heads on its features, for each image and class.
    """

    forward: float
    step: Mapping[str, float]
    heads: float


@dataclass(frozen=True)
class Unit:
    """One piece of work: the key of its record, what it is, and what it should take."""

    key: str
    name: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes
    ----------
    folds : finalists are compared out-of-fold over so many folds; None means on the validation part.
    epochs : for each backbone, the epochs of each strategy that trains; a missing one is left out.
    units : the work in order; training at the cost of the dearest backbone that affords the most of it.
    notes : what had to be left out, in sentences.
    """

    folds: int | None
    epochs: Mapping[str, Mapping[str, int]]
    units: tuple[Unit, ...]
    notes: tuple[str, ...]


def make_plan(
    rows: Sequence[Strategy],
    calibrations: Mapping[str, Calibration],
    *,
    budget: float,
    spent: float,
    counts: tuple[int, int, int],
    classes: int,
) -> Plan:
    """Share out `budget` seconds, of which `spent` are gone.

    Parameters
    ----------
    rows : strategies to try.
    calibrations : costs of every backbone in the race.
    counts : images in the training, validation and test part.
    """
    n_train, n_val, n_test = counts
    folds = FOLDS if 0 < n_val < FEWEST_VALIDATION else None
    pool = n_train + (n_val if folds else 0)
    controls = any(row.name == "frozen_random" for row in rows)
    extraction = {name: 5.0 + sum(counts) * c.forward / 2 for name, c in calibrations.items()}
    heads = {name: 1.0 + min(pool, 10_000) * classes * c.heads for name, c in calibrations.items()}
    cost_of_control = max(extraction[name] + heads[name] for name in calibrations) if controls else 0.0
    closing = 12.0 + (n_test + min(n_train, 2000)) * max(c.forward for c in calibrations.values())
    fixed = sum(extraction.values()) + sum(heads.values()) + cost_of_control + closing
    left = SAFETY * (budget - spent - fixed)
    wanted = [row.name for row in rows if row.trains]
    shares = {
        name: _share_out(wanted, c, seconds=left, pool=pool, folds=folds, n_all=n_train + n_val)
        for name, c in calibrations.items()
    }
    # Fine-tuned will be one of those that afford the most strategies.
    dearest = max(calibrations, key=lambda name: (len(shares[name]), calibrations[name].forward))
    units = [
        Unit(f"probe/{name}", f"features and heads of {name}", extraction[name] + heads[name]) for name in calibrations
    ]
    if controls:
        units.append(Unit("candidate/frozen_random", TABLE["frozen_random"].title, cost_of_control))
    for row in wanted:
        epochs = shares[dearest].get(row, 0)
        seconds = START * (folds or 1) + epochs * _epoch(row, calibrations[dearest], pool=pool, folds=folds)
        if epochs:
            units.append(Unit(f"candidate/{row}", f"{TABLE[row].title}, at most {epochs} epochs", seconds))
    tuned = {row: epochs for row, epochs in shares[dearest].items() if row != "scratch" or folds}
    if tuned:
        closing += START + max(tuned.values()) * _again(
            tuned, calibrations[dearest], n_all=n_train + n_val, folds=folds
        )
    again = ", once more trained if it is fine-tuned" if tuned else ""
    units.append(Unit("final", f"the model handed back{again}; its test and its page", closing))
    notes = _notes(wanted, shares[dearest], folds=folds, n_val=n_val)
    return Plan(folds, shares, tuple(units), notes)


def _share_out(
    wanted: Sequence[str], cost: Calibration, *, seconds: float, pool: int, folds: int | None, n_all: int
) -> dict[str, int]:
    """Equal epochs for all strategies that train, and for the chosen one once more on all images.

    What is left over goes to training from scratch.
    """
    rows = list(wanted)
    for dropped in ("", *DROPPED_FIRST):
        rows = [row for row in rows if row != dropped]
        each = {row: _epoch(row, cost, pool=pool, folds=folds) for row in rows}
        again = _again(rows, cost, n_all=n_all, folds=folds)
        training = seconds - START * (len(rows) * (folds or 1) + (again > 0))
        epochs = int(training / (sum(each.values()) + again)) if rows and training > 0 else 0
        if epochs >= FEWEST_EPOCHS or not rows:
            break
    share = dict.fromkeys(rows, min(epochs, MOST_EPOCHS))
    if "scratch" in share:
        over = training - share["scratch"] * (sum(each.values()) + again)
        more = int(over / (each["scratch"] + (again if folds else 0.0)))
        share["scratch"] = min(MOST_SCRATCH_EPOCHS, share["scratch"] + max(0, more))
    return share


def _again(rows: Iterable[str], cost: Calibration, *, n_all: int, folds: int | None) -> float:
    """Seconds of one epoch on training and validation images, of the dearest row that may be trained once more."""
    return max((cost.step[row] * n_all for row in rows if TABLE[row].pretrained or folds), default=0.0)


def _epoch(row: str, cost: Calibration, *, pool: int, folds: int | None) -> float:
    """Seconds of one epoch with its early-stopping check, over all folds."""
    seen = pool * (folds - 1) / folds if folds else pool
    once = (1 - STOP_SHARE) * seen * cost.step[row] + STOP_SHARE * seen * cost.forward
    return once * (folds or 1)


def _notes(wanted: Sequence[str], share: Mapping[str, int], *, folds: int | None, n_val: int) -> tuple[str, ...]:
    notes = []
    if folds:
        fact = f"{n_val} validation images are few"
        notes.append(f"{fact}: candidates are compared out-of-fold over {folds} folds of training and validation part.")
    left_out = [TABLE[row].title for row in wanted if row not in share]
    if left_out:
        notes.append(f"The budget is too small to try: {', '.join(left_out)}.")
    return tuple(notes)
