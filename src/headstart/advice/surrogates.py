"""Which surrogate task is worth it here: what is said of several networks, measured with few labels, over repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evidence.multiple import holm, paired_p
from headstart.evidence.replicates import paired_difference

ALPHA = 0.05
LEVEL = 0.95


@dataclass(frozen=True)
class Gain:
    """A network against random weights, by one way to use it, with so many labels a class.

    Attributes
    ----------
    value, low, high : mean difference of accuracy over repeats, and its 95 % interval; None where there is one repeat.
    p : adjusted by Holm for the number of networks; `shown` where it is below 5 %.
    """

    value: float
    low: float | None
    high: float | None
    p: float

    @property
    def shown(self) -> bool:
        """Whether it differs from random weights."""
        return self.p < ALPHA


@dataclass(frozen=True)
class Worth:
    """The answer.

    Attributes
    ----------
    gains : by way (``probe`` or ``finetune``), labels a class and network.
    sentence, reasons : for people.
    """

    gains: Mapping[str, Mapping[int, Mapping[str, Gain]]]
    sentence: str
    reasons: tuple[str, ...]


def judge_surrogates(
    found: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]], *, random: str, titles: Mapping[str, str]
) -> Worth:
    """From accuracies over repeats, by way, labels a class and network, one of which has random weights.

    Parameters
    ----------
    random : the name of that one.
    titles : of those that have learned a surrogate task, in words; others (from ImageNet) are only compared with.
    """
    gains = {
        way: {k: _gains(values, random=random) for k, values in by_labels.items()} for way, by_labels in found.items()
    }
    reasons, worth = [], dict[str, list[str]]()
    for way, by_labels in gains.items():
        for k, by_name in by_labels.items():
            mine = {name: gain for name, gain in by_name.items() if name in titles}
            for name, gain in mine.items():
                if gain.shown and gain.value > 0:
                    worth.setdefault(name, []).append(f"{k} ({WAYS[way]})")
            reasons.append(_reason(way, k, mine, by_name))
    if worth:
        told = "; ".join(f"{titles[name]} with {', '.join(where)}" for name, where in worth.items())
        return Worth(gains, f"Better than random weights, labels a class: {told}.", tuple(reasons))
    return Worth(gains, "No surrogate task is shown to be better than random weights here.", tuple(reasons))


WAYS = {"probe": "probed", "finetune": "fine-tuned"}


def _gains(values: Mapping[str, Sequence[float]], *, random: str) -> dict[str, Gain]:
    base = np.asarray(values[random], dtype=float)
    others = {name: np.asarray(one, dtype=float) for name, one in values.items() if name != random}
    adjusted = holm([paired_p(one - base) for one in others.values()])
    found = {}
    for (name, one), p in zip(others.items(), adjusted, strict=True):
        difference = paired_difference(one, base, independent=len(base), level=LEVEL)
        found[name] = Gain(difference.value, difference.low, difference.high, p)
    return found


def _reason(way: str, k: int, mine: Mapping[str, Gain], all_of_them: Mapping[str, Gain]) -> str:
    best = max(mine, key=lambda name: mine[name].value)
    told = f"{k} labels a class, {WAYS[way]}: the best surrogate is {best}, {_points(mine[best])} over random weights"
    others = [f"{name} {_points(gain)}" for name, gain in all_of_them.items() if name not in mine]
    return f"{told}{'; ' + ', '.join(others) if others else ''}."


def _points(gain: Gain) -> str:
    value = f"{100 * gain.value:+.1f} points"
    return (
        value if gain.low is None or gain.high is None else f"{value} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
