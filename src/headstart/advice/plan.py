"""A budget becomes a plan of work units, once; what is computed afterwards follows the plan, not the clock.

The costs come from a short calibration. The plan is the run's first record, and everything in it is
a pure function of its arguments, so that resuming a run replays it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.advice.costs import Calibration, Sizes, cost_of
from headstart.advice.halving import FINALISTS, REOPENED, Rung, rung_seconds, rungs
from headstart.advice.shares import Shares, repeats_of, share_out
from headstart.strategies import TABLE, Strategy

FOLDS = 3
FEWEST_VALIDATION = 200
"""With fewer validation images than this, finalists are compared out-of-fold instead."""
SAFETY = 0.85
"""Share of the time left that is planned for: a calibration of seconds is a rough measure."""
JUDGED = 250
"""Passes of an image, in eager torch or slower than what is chosen, that choosing an engine costs."""


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
    views : for each backbone, the views of an image whose activations at the frozen cut are stored, of each
        strategy that trains from them; the others run the whole network every time.
    trials : for each backbone, how many learning rates and decays each of these strategies is tried with, together.
    units : the work in order; training at the cost of the dearest backbone that affords the most of it.
    notes : what had to be left out, in sentences.
    repeats : folds are drawn so many times, with other seeds for the training too.
    rungs : the halvings by which many networks become a few; none where there are only a few.
    """

    folds: int | None
    epochs: Mapping[str, Mapping[str, int]]
    views: Mapping[str, Mapping[str, int]]
    trials: Mapping[str, Mapping[str, int]]
    units: tuple[Unit, ...]
    notes: tuple[str, ...]
    repeats: int = 1
    rungs: tuple[Rung, ...] = ()


def make_plan(
    rows: Sequence[Strategy],
    calibrations: Mapping[str, Calibration],
    *,
    budget: float,
    spent: float,
    counts: tuple[int, int, int],
    classes: int,
    find_rate: bool = False,
    last: Sequence[Unit] = (),
) -> Plan:
    """Share out `budget` seconds, of which `spent` are gone.

    Where what is not trained, of all backbones, is too much for it, the dearest stay out. One that an earlier run made
    does not.

    Parameters
    ----------
    rows : strategies to try.
    calibrations : costs of every backbone that is asked for.
    counts : images in the training, validation and test part.
    find_rate : a learning rate is looked for before each training.
    last : what comes at the end, whatever the budget allows before it.
    """
    n_train, n_val, n_test = counts
    folds = FOLDS if 0 < n_val < FEWEST_VALIDATION else None
    pool = n_train + (n_val if folds else 0)
    asked, controls = calibrations, any(row.name == "frozen_random" for row in rows)
    while True:
        extraction = {name: 5.0 + (sum(counts) / 2 + JUDGED) * c.forward for name, c in calibrations.items()}
        heads = {name: 1.0 + min(pool, 10_000) * classes * c.heads for name, c in calibrations.items()}
        halvings = rungs(len(calibrations), pool, classes=classes)
        frozen = _frozen(calibrations, halvings, extraction=extraction, heads=heads, images=sum(counts))
        control = max(extraction[name] + heads[name] for name in calibrations) if controls else 0.0
        closing = 12.0 + (n_test + min(n_train, 2000)) * max(c.forward for c in calibrations.values())
        fixed = sum(unit.seconds for unit in (*frozen, *last)) + control + closing
        fewer = _without_dearest(calibrations)
        if spent + fixed <= budget or not fewer:
            break
        calibrations = fewer
    left = SAFETY * (budget - spent - fixed)

    wanted, sizes = [row.name for row in rows if row.trains], Sizes(pool, n_train + n_val, folds, find_rate)
    shares = {
        name: share_out({row: cost_of(row, c, sizes) for row in wanted}, seconds=left)
        for name, c in calibrations.items()
    }
    # Fine-tuned will be one of those that afford the most strategies.
    dearest = max(calibrations, key=lambda name: (len(shares[name].epochs), calibrations[name].forward))
    trained, repeats = shares[dearest], 1
    if folds and trained.epochs:
        repeats = repeats_of(trained, heads=heads[dearest] + control, seconds=left)
    notes = _notes(wanted, trained.epochs, folds=folds, n_val=n_val, repeats=repeats)
    if dropped := [name for name in asked if name not in calibrations]:
        notes = (*notes, f"The budget has no room for the features of {', '.join(dropped)}.")
    if spent + fixed > budget:
        notes = (*notes, _over(spent + fixed, budget=budget, backbones=len(calibrations)))
    return Plan(
        folds,
        epochs={name: share.epochs for name, share in shares.items()},
        views={name: {row: share.costs[row].views for row in share.epochs} for name, share in shares.items()},
        trials={name: share.trials for name, share in shares.items()},
        units=(*frozen, *_trained(trained, repeats=repeats, control=control), _final(trained, closing=closing), *last),
        notes=notes,
        repeats=repeats,
        rungs=halvings,
    )


def _frozen(
    calibrations: Mapping[str, Calibration],
    halvings: Sequence[Rung],
    *,
    extraction: Mapping[str, float],
    heads: Mapping[str, float],
    images: int,
) -> list[Unit]:
    """Features and heads of all networks; or the halvings, and then those of the dearest that may be left."""
    if not halvings:
        return [Unit(f"probe/{n}", f"features and heads of {n}", extraction[n] + heads[n]) for n in calibrations]
    forward = {name: c.forward for name, c in calibrations.items()}
    opening = {name: extraction[name] - images / 2 * forward[name] for name in forward}
    seconds = rung_seconds(halvings, opening=opening, forward=forward)
    units = [
        Unit(f"rung/{number}", f"halving {rung.networks} networks on {rung.images:,} images", taken)
        for number, (rung, taken) in enumerate(zip(halvings, seconds, strict=True))
    ]
    missing = (images - halvings[-1].images) / 2
    each = sorted((REOPENED + missing * forward[name] + heads[name] for name in forward), reverse=True)
    return [*units, Unit("finalists", f"features and heads of the {FINALISTS} that are left", sum(each[:FINALISTS]))]


def _trained(shares: Shares, *, repeats: int, control: float) -> list[Unit]:
    """The candidates after the probe; `control` are the seconds of the frozen random network, 0 without it."""
    units = []
    if control:
        # Each repeat has another random network, with features of its own.
        units.append(Unit("candidate/frozen_random", TABLE["frozen_random"].title, repeats * control))
    for row, epochs in shares.epochs.items():
        views, trials = shares.costs[row].views, shares.trials[row]
        stored = f", on {views} stored views" if views else ""
        together = f", {trials} learning rates and decays together" if trials > 1 else ""
        name = f"{TABLE[row].title}, at most {epochs} epochs{stored}{together}"
        units.append(Unit(f"candidate/{row}", name, repeats * shares.seconds(row)))
    return units


def _final(shares: Shares, *, closing: float) -> Unit:
    again = shares.again()
    named = ", once more trained if it is fine-tuned" if again else ""
    return Unit("final", f"the model handed back{named}; its test and its page", closing + shares.once() + again)


def _without_dearest(calibrations: Mapping[str, Calibration]) -> dict[str, Calibration]:
    """All but the dearest; empty where none can be left out: one has to stay, and what an earlier run made is meant."""
    able = [name for name in calibrations if not name.startswith("run:")]
    if len(calibrations) == 1 or not able:
        return {}
    dearest = max(able, key=lambda name: calibrations[name].forward)
    return {name: c for name, c in calibrations.items() if name != dearest}


def _over(seconds: float, *, budget: float, backbones: int) -> str:
    """That what cannot be left out takes longer than the budget, and what would shorten it."""
    fewer = "fewer backbones or " if backbones > 1 else ""
    needed, given = (f"{t:.0f} seconds" if t < 120 else f"{t / 60:.1f} minutes" for t in (seconds, budget))
    fact = f"Features and heads alone should take {needed}, the budget is {given}"
    return f"{fact}: {fewer}fewer images would shorten them."


def _notes(
    wanted: Sequence[str], share: Mapping[str, int], *, folds: int | None, n_val: int, repeats: int
) -> tuple[str, ...]:
    notes = []
    if folds:
        fact = f"{n_val} validation images are few"
        times = {1: "", 2: ", drawn twice"}.get(repeats, f", drawn {repeats} times")
        notes.append(
            f"{fact}: candidates are compared out-of-fold over {folds} folds of training and validation part{times}."
        )
    left_out = [TABLE[row].title for row in wanted if row not in share]
    if left_out:
        notes.append(f"The budget is too small to try: {', '.join(left_out)}.")
    return tuple(notes)
