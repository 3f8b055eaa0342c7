"""A budget becomes trainings at growing numbers of labels: which sizes, how many replicates, how many epochs.

The largest size comes first, twice: there it is decided what fine-tuning brings over the frozen network, and with what
interval. What is left buys smaller sizes, which make a curve of it; then a third replicate, epochs, and replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.advice.costs import FEWEST_EPOCHS, START, STOP_SHARE, Calibration
from headstart.advice.plan import SAFETY, Unit
from headstart.advice.shares import MOST_EPOCHS, MOST_SCRATCH_EPOCHS
from headstart.strategies import TABLE

SIZES = 3
"""Sizes of a trained curve at most: the fewest that can show a level."""
FIRST_REPLICATES, MIDDLE_REPLICATES, MOST_REPLICATES = 2, 3, 5
"""Replicates before there are smaller sizes, before there are more epochs, and in the end, a round of folds."""
CONTROL = "scratch"


@dataclass(frozen=True)
class Growth:
    """What is trained.

    Attributes
    ----------
    epochs : of each strategy, the same at every size; empty where the budget is too small for any training.
    sizes : numbers of labels, ascending.
    replicates : trainings of each strategy at each size, on the first replicates of the frozen curve.
    units : the trainings in order, the largest size first.
    notes : what had to be left out, and what cannot be told, in sentences.
    """

    epochs: Mapping[str, int]
    sizes: tuple[int, ...]
    replicates: int
    units: tuple[Unit, ...]
    notes: tuple[str, ...]


def training_key(strategy: str, size: int, replicate: int) -> str:
    """Key of a training's unit of work, and of its record."""
    return f"training/{strategy}/{size}/{replicate}"


def trained_sizes(sizes: Sequence[int], *, classes: int) -> tuple[int, ...]:
    """Of the sizes of the frozen curve, those to train at: the largest and every second one below it, ascending.

    Below two labels a class there is nothing to stop a training by.

    >>> trained_sizes((60, 97, 155, 250, 403, 648), classes=30)
    (97, 250, 648)
    """
    wanted = [size for size in sizes[::-2] if size >= 2 * classes]
    return tuple(reversed(wanted[:SIZES]))


def plan_growth(
    strategy: str, costs: Calibration, *, seconds: float, sizes: Sequence[int], replicates: int, judged: int
) -> Growth:
    """Share out `seconds` among trainings of `strategy`, and of the control from scratch.

    Parameters
    ----------
    strategy : a row of `headstart.strategies.TABLE` that trains.
    costs : measured seconds per image.
    seconds : what is left of the budget.
    sizes : numbers of labels that may be trained on, ascending.
    replicates : how many there are.
    judged : images that each training is judged on.
    """
    room, most = SAFETY * seconds, min(replicates, FIRST_REPLICATES)
    designs = [(1, r) for r in range(1, most + 1)] + [(s, most) for s in range(2, len(sizes) + 1)]
    designs += [(len(sizes), r) for r in range(most + 1, min(replicates, MIDDLE_REPLICATES) + 1)]
    cost = _Cost(costs, tuple(sizes), judged)
    for rows in ((strategy, CONTROL), (strategy,)):
        epochs = dict.fromkeys(rows, FEWEST_EPOCHS)
        affordable = [(s, r) for s, r in designs if sizes and cost.seconds(epochs, s, r) <= room]
        if affordable:
            break
    else:
        return Growth({}, (), 0, (), (_too_small(cost, strategy),))
    several, r = affordable[-1]
    epochs = _longer(cost, epochs, tuple(epochs), several=several, replicates=r, most=MOST_EPOCHS, room=room)
    if CONTROL in epochs:
        epochs = _longer(cost, epochs, (CONTROL,), several=several, replicates=r, most=MOST_SCRATCH_EPOCHS, room=room)
    if affordable[-1] == designs[-1]:
        more = range(r, min(replicates, MOST_REPLICATES) + 1)
        r = max(each for each in more if each == r or cost.seconds(epochs, several, each) <= room)
    kept = tuple(sizes[-several:])
    units = [
        Unit(
            training_key(row, n, replicate),
            f"{TABLE[row].title} with {n:,} labels, at most {epochs[row]} epochs",
            cost.training(row, n, epochs[row]),
        )
        for n in reversed(kept)
        for replicate in range(r)
        for row in epochs
    ]
    return Growth(epochs, kept, r, tuple(units), _notes(epochs, sizes=len(kept), of=len(sizes)))


@dataclass(frozen=True)
class _Cost:
    """What trainings at the largest of `sizes` cost, in seconds."""

    per_image: Calibration
    sizes: tuple[int, ...]
    judged: int

    def training(self, row: str, n: int, epochs: int) -> float:
        step, forward = self.per_image.step[row], self.per_image.forward
        return START + epochs * n * ((1 - STOP_SHARE) * step + STOP_SHARE * forward) + self.judged * forward

    def seconds(self, epochs: Mapping[str, int], several: int, replicates: int) -> float:
        trained = self.sizes[-several:]
        return replicates * sum(self.training(row, n, each) for row, each in epochs.items() for n in trained)


def _longer(
    cost: _Cost, epochs: dict[str, int], rows: Sequence[str], *, several: int, replicates: int, most: int, room: float
) -> dict[str, int]:
    """The most epochs of `rows`, up to `most`, that there is room for."""
    found = epochs
    for each in range(epochs[rows[0]], most + 1):
        longer = epochs | dict.fromkeys(rows, each)
        if cost.seconds(longer, several, replicates) <= room:
            found = longer
    return found


def _too_small(cost: _Cost, strategy: str) -> str:
    if not cost.sizes:
        return "With fewer than two labels a class no network is fine-tuned: the answer is that of the frozen network."
    needed = cost.training(strategy, cost.sizes[-1], FEWEST_EPOCHS) / SAFETY
    fact = f"One training with {cost.sizes[-1]:,} labels should take {needed:.0f} seconds"
    return f"{fact}, which the budget does not hold: the answer is that of the frozen network alone."


def _notes(epochs: Mapping[str, int], *, sizes: int, of: int) -> tuple[str, ...]:
    notes = []
    if CONTROL not in epochs:
        notes.append(f"The budget is too small for {TABLE[CONTROL].title}.")
    why = "the budget allows" if sizes < of else "there are labels for"
    if sizes == 1:
        notes.append(f"Trained networks stand at one size, as {why} no more: that shows no curve and no crossing.")
    elif sizes == 2:
        notes.append(f"Trained networks stand at two sizes, as {why} no more: whether they level off cannot be told.")
    return tuple(notes)
