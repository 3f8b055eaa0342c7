"""A budget becomes a plan of work units, once; what is computed afterwards follows the plan, not the clock.

The costs come from a short calibration. The plan is the run's first record, and everything in it is
a pure function of its arguments, so that resuming a run replays it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headstart.advice.halving import FINALISTS, REOPENED, Rung, rung_seconds, rungs
from headstart.strategies import TABLE, Strategy
from headstart.training import GRADIENT_IMAGES
from headstart.training.rate import STEPS
from headstart.training.recipe import VARIANTS, batch_size

FEWEST_EPOCHS = 8
"""Fewer epochs of fine-tuning than this hardly outlast the disturbance of the first ones."""
MOST_EPOCHS = 16
MOST_SCRATCH_EPOCHS = 40
MOST_TRIALS = len(VARIANTS)
VIEWS = 4
"""Views of each image that a training from stored activations goes through in turn."""
MOST_STORED = 4 * 10**9
"""Bytes of activations that a training may store."""
STOP_SHARE = 0.15
"""Share of the training images that decide when to stop."""
FOLDS = 3
MOST_REPEATS = 3
"""Times that folds are drawn, with other seeds, where the budget allows: one cut of few images is a matter of luck."""
FEWEST_VALIDATION = 200
"""With fewer validation images than this, finalists are compared out-of-fold instead."""
SAFETY = 0.85
"""Share of the time left that is planned for: a calibration of seconds is a rough measure."""
START = 4.0
"""Seconds that a training costs beside its epochs: loading the network, judging it, keeping what it gave."""
JUDGED = 250
"""Passes of an image, in eager torch or slower than what is chosen, that choosing an engine costs."""
DROPPED_FIRST = (
    *("delta", "cotuning", "mixup", "bss", "l2sp", "by_layer", "gradual", "lora", "surgical", "biases", "norms"),
    *("last_block", "all", "scratch", "upper_half"),
)
"""What is given up, in this order, where the budget does not allow the fewest epochs for everything.

Few candidates with enough epochs say more than many with too few: one partial fine-tuning, that of
everything and the control stand for the whole ladder.
"""


@dataclass(frozen=True)
class Above:
    """Measured cost, per image, of training above a frozen cut from stored activations.

    Attributes
    ----------
    lower : seconds of the frozen part, once per view.
    step : seconds of a training step of what is above.
    bytes : size of the activation at the cut.
    """

    lower: float
    step: float
    bytes: int


@dataclass(frozen=True)
class Calibration:
    """Measured seconds per image of one backbone.

    Attributes
    ----------
    forward : through the whole network, in evaluation mode.
    step : by strategy, of a training step (forward, backward, update).
    heads : of the competition of heads on its features, for each image and class.
    above : by strategy that freezes a part, the same from stored activations.
    """

    forward: float
    step: Mapping[str, float]
    heads: float
    above: Mapping[str, Above] = field(default_factory=dict)


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

    Parameters
    ----------
    rows : strategies to try.
    calibrations : costs of every backbone in the race.
    counts : images in the training, validation and test part.
    find_rate : a learning rate is looked for before each training.
    last : what comes at the end, whatever the budget allows before it.
    """
    n_train, n_val, n_test = counts
    folds = FOLDS if 0 < n_val < FEWEST_VALIDATION else None
    pool = n_train + (n_val if folds else 0)
    controls = any(row.name == "frozen_random" for row in rows)
    extraction = {name: 5.0 + (sum(counts) / 2 + JUDGED) * c.forward for name, c in calibrations.items()}
    heads = {name: 1.0 + min(pool, 10_000) * classes * c.heads for name, c in calibrations.items()}
    cost_of_control = max(extraction[name] + heads[name] for name in calibrations) if controls else 0.0
    closing = 12.0 + (n_test + min(n_train, 2000)) * max(c.forward for c in calibrations.values())
    halvings = rungs(len(calibrations), pool, classes=classes)
    frozen = _frozen(calibrations, halvings, extraction=extraction, heads=heads, images=sum(counts))
    fixed = sum(unit.seconds for unit in (*frozen, *last)) + cost_of_control + closing
    left = SAFETY * (budget - spent - fixed)
    wanted = [row.name for row in rows if row.trains]
    sizes = Sizes(pool, n_train + n_val, folds, find_rate)
    costs = {name: {row: cost_of(row, c, sizes) for row in wanted} for name, c in calibrations.items()}
    shares = {name: _share_out(cost, seconds=left) for name, cost in costs.items()}
    trials = {name: _trials(costs[name], share, seconds=left) for name, share in shares.items()}
    # Fine-tuned will be one of those that afford the most strategies.
    dearest = max(calibrations, key=lambda name: (len(shares[name]), calibrations[name].forward))
    repeats = 1
    if folds and shares[dearest]:
        anew = heads[dearest] + cost_of_control
        repeats = _repeats(costs[dearest], shares[dearest], trials[dearest], heads=anew, seconds=left)
    units = list(frozen)
    if controls:
        # Each repeat has another random network, with features of its own.
        units.append(Unit("candidate/frozen_random", TABLE["frozen_random"].title, repeats * cost_of_control))
    for row, epochs in shares[dearest].items():
        cost = costs[dearest][row]
        tried = trials[dearest][row]
        stored = f", on {cost.views} stored views" if cost.views else ""
        together = f", {tried} learning rates and decays together" if tried > 1 else ""
        name = f"{TABLE[row].title}, at most {epochs} epochs{stored}{together}"
        units.append(Unit(f"candidate/{row}", name, repeats * (cost.start + tried * epochs * cost.epoch)))
    again = _again(costs[dearest], shares[dearest], trials[dearest])
    closing += _once(costs[dearest], shares[dearest]) + again
    named = ", once more trained if it is fine-tuned" if again else ""
    units.append(Unit("final", f"the model handed back{named}; its test and its page", closing))
    units.extend(last)
    views = {name: {row: costs[name][row].views for row in share} for name, share in shares.items()}
    notes = _notes(wanted, shares[dearest], folds=folds, n_val=n_val, repeats=repeats)
    if spent + fixed > budget:
        notes = (*notes, _over(spent + fixed, budget=budget, backbones=len(calibrations)))
    return Plan(folds, shares, views, trials, tuple(units), notes, repeats, halvings)


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


@dataclass(frozen=True)
class Sizes:
    """Images that candidates are trained and judged on, those of training and validation part, folds; what is found."""

    pool: int
    both: int
    folds: int | None
    find_rate: bool = False


@dataclass(frozen=True)
class Cost:
    """Seconds of a strategy: `start` once, `epoch` each; `once`, and `again` each, where it is trained once more."""

    start: float
    epoch: float
    again: float
    once: float
    views: int


def cost_of(row: str, c: Calibration, sizes: Sizes) -> Cost:
    """What a strategy costs: from stored activations where that pays within the fewest epochs, and they have room."""
    trainings = sizes.folds or 1
    seen = sizes.pool * (trainings - 1 if sizes.folds else 1)
    again = sizes.both if TABLE[row].pretrained or sizes.folds else 0
    step = c.step[row]
    once = START + _found(row, step, sizes)
    epoch = seen * ((1 - STOP_SHARE) * step + STOP_SHARE * c.forward)
    whole = Cost(once * trainings, epoch, again * step, once * (again > 0), 0)
    above = c.above.get(row)
    if above is None or (VIEWS + 1) * sizes.both * above.bytes > MOST_STORED:
        return whole
    # Views of an image are the same in every fold and in the last training: its frozen part runs once for all.
    stored = (VIEWS + 1) * sizes.both * above.lower
    once = START + _found(row, above.step, sizes)
    cached = Cost(
        once * trainings + stored, seen * above.step, again * above.step, once=once * (again > 0), views=VIEWS
    )
    pays = cached.start + FEWEST_EPOCHS * cached.epoch < whole.start + FEWEST_EPOCHS * whole.epoch
    return cached if pays else whole


def _found(row: str, step: float, sizes: Sizes) -> float:
    """Seconds, at most, of what is found out before a training: its learning rate, which block trains."""
    # Each step of the sweep passes its batch through the untouched model too, which costs less than a step.
    images = 2 * STEPS * batch_size(sizes.both) * sizes.find_rate
    return step * (images + GRADIENT_IMAGES * (TABLE[row].frozen == "all but one block"))


def _share_out(costs: Mapping[str, Cost], *, seconds: float) -> dict[str, int]:
    """Equal epochs for all strategies that train, and for the chosen one once more on all images.

    What is left over goes to training from scratch.
    """
    rows = list(costs)
    for dropped in ("", *DROPPED_FIRST):
        rows = [row for row in rows if row != dropped]
        each = sum(costs[row].epoch for row in rows)
        again = max((costs[row].again for row in rows), default=0.0)
        training = seconds - sum(costs[row].start for row in rows) - _once(costs, rows)
        epochs = int(training / (each + again)) if rows and training > 0 else 0
        if epochs >= FEWEST_EPOCHS or not rows:
            break
    share = dict.fromkeys(rows, min(epochs, MOST_EPOCHS))
    if "scratch" in share:
        over = training - share["scratch"] * (each + again)
        more = int(over / (costs["scratch"].epoch + costs["scratch"].again))
        share["scratch"] = min(MOST_SCRATCH_EPOCHS, share["scratch"] + max(0, more))
    return share


def _trials(costs: Mapping[str, Cost], share: Mapping[str, int], *, seconds: float) -> dict[str, int]:
    """What is left over after that goes to more learning rates where a training reads stored activations."""
    trials = dict.fromkeys(share, 1)
    left = seconds - sum(costs[row].start + epochs * costs[row].epoch for row, epochs in share.items())
    left -= _once(costs, share) + _again(costs, share, trials)
    for row in (row for row in share if costs[row].views):
        one = START + share[row] * (costs[row].epoch + costs[row].again)
        trials[row] += min(MOST_TRIALS - 1, max(0, int(left / one)))
        left -= (trials[row] - 1) * one
    return trials


def _repeats(
    costs: Mapping[str, Cost],
    share: Mapping[str, int],
    trials: Mapping[str, int],
    *,
    heads: float,
    seconds: float,
) -> int:
    """What is left over at last goes to drawing the folds again, for all strategies alike."""
    each = heads + sum(costs[row].start + trials[row] * epochs * costs[row].epoch for row, epochs in share.items())
    left = seconds - each - _once(costs, share) - _again(costs, share, trials)
    return min(MOST_REPEATS, 1 + max(0, int(left / each)))


def _again(costs: Mapping[str, Cost], share: Mapping[str, int], trials: Mapping[str, int]) -> float:
    """Seconds of the dearest training that may be handed back, once more on training and validation images."""
    return max((trials[row] * epochs * costs[row].again for row, epochs in share.items()), default=0.0)


def _once(costs: Mapping[str, Cost], rows: Iterable[str]) -> float:
    """Seconds beside its epochs of the dearest training that may be handed back."""
    return max((costs[row].once for row in rows), default=0.0)


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
