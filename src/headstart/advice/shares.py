"""Seconds are shared out among the trainings of one backbone: epochs first, then learning rates, then repeats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from headstart.advice.costs import FEWEST_EPOCHS, START, Cost
from headstart.training.recipe import VARIANTS

MOST_EPOCHS = 16
MOST_SCRATCH_EPOCHS = 40
MOST_TRIALS = len(VARIANTS)
MOST_REPEATS = 3
"""Times that folds are drawn, with other seeds, where the budget allows: one cut of few images is a matter of luck."""
DROPPED_FIRST = (
    *("delta", "cotuning", "mixup", "bss", "l2sp", "unsmoothed", "by_layer", "gradual"),
    *("dora", "lora", "surgical", "biases", "norms"),
    *("last_block", "all", "scratch", "upper_half"),
)
"""What is given up, in this order, where the budget does not allow the fewest epochs for everything.

Few candidates with enough epochs say more than many with too few: one partial fine-tuning, that of
everything and the control stand for the whole ladder.
"""


@dataclass(frozen=True)
class Shares:
    """What the trainings of one backbone get.

    Attributes
    ----------
    costs : of every strategy that was wanted.
    epochs : of each strategy that trains; a missing one is left out.
    trials : how many learning rates and decays each is tried with, together.
    """

    costs: Mapping[str, Cost]
    epochs: Mapping[str, int]
    trials: Mapping[str, int] = field(default_factory=dict)

    def seconds(self, row: str) -> float:
        """Of a strategy, until it is judged."""
        return self.costs[row].start + self.trials.get(row, 1) * self.epochs[row] * self.costs[row].epoch

    def again(self) -> float:
        """Of the dearest training that may be handed back, once more on training and validation images."""
        epochs = {row: self.trials.get(row, 1) * epochs for row, epochs in self.epochs.items()}
        return max((epochs[row] * self.costs[row].again for row in epochs), default=0.0)

    def once(self) -> float:
        """The same of what that training costs beside its epochs."""
        return _once(self.costs, self.epochs)


def share_out(costs: Mapping[str, Cost], *, seconds: float) -> Shares:
    """Equal epochs for all strategies, and for the chosen one again on all images; what is left over buys trials."""
    epochs = _epochs(costs, seconds=seconds)
    shares = Shares(costs, epochs)
    left = seconds - sum(map(shares.seconds, epochs)) - shares.once() - shares.again()
    trials = dict.fromkeys(epochs, 1)
    for row in (row for row in epochs if costs[row].views):
        one = START + epochs[row] * (costs[row].epoch + costs[row].again)
        trials[row] += min(MOST_TRIALS - 1, max(0, int(left / one)))
        left -= (trials[row] - 1) * one
    return Shares(costs, epochs, trials)


def repeats_of(shares: Shares, *, heads: float, seconds: float) -> int:
    """What is left over at last goes to drawing the folds again, for all strategies and the heads alike."""
    each = heads + sum(map(shares.seconds, shares.epochs))
    left = seconds - each - shares.once() - shares.again()
    return min(MOST_REPEATS, 1 + max(0, int(left / each)))


def _epochs(costs: Mapping[str, Cost], *, seconds: float) -> dict[str, int]:
    """Of each strategy; what the others leave over goes to training from scratch."""
    for rows in _kept(costs):
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


def _kept(rows: Collection[str]) -> Iterator[list[str]]:
    """What may be tried, in turn: all rows, fewer and fewer; those made by their names, the cheap longest; none."""
    # What is made when it is named has no place in the order: it is given up before the others. It may have room where
    # a dearer one beside it has none.
    named = [row for row in rows if row not in DROPPED_FIRST]
    order = [*named, *(row for row in DROPPED_FIRST if row in rows)]
    for dropped in range(len(order)):
        yield [row for row in rows if row not in order[:dropped]]
    for left in range(len(named), -1, -1):
        yield named[:left]


def _once(costs: Mapping[str, Cost], rows: Iterable[str]) -> float:
    return max((costs[row].once for row in rows), default=0.0)
