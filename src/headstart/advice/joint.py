"""Several tasks on one network: frozen or trained together, and what that does to each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.advice.verdict import Transfer
from headstart.evidence import Difference

Way = Literal["frozen", "joint"]


@dataclass(frozen=True)
class TaskFound:
    """Differences of one task's metric on the same validation images.

    Attributes
    ----------
    over_alone : the network trained for all tasks minus one trained for this task.
    over_frozen : the network trained for all tasks minus the frozen one.
    alone_over_frozen : one trained for this task minus the frozen one.
    """

    name: str
    over_alone: Difference
    over_frozen: Difference
    alone_over_frozen: Difference


@dataclass(frozen=True)
class Joined:
    """What to hand back, and what joint training does to each task against a network of its own.

    Attributes
    ----------
    chosen : ``frozen`` (one network as it came, m heads) or ``joint`` (one network trained for all tasks).
    tasks : by name helps, neutral, hurts or cannot_tell.
    """

    chosen: Way
    tasks: dict[str, Transfer]
    sentence: str
    reasons: tuple[str, ...]


def decide_joint(mean: Difference, tasks: Sequence[TaskFound], *, margin: float, improving: bool = False) -> Joined:
    """The frozen network unless training it for all tasks did better by more than the margin, in the mean over tasks.

    What did better is handed back also where the interval cannot tell, and that is said: as in a fit.

    Parameters
    ----------
    mean : jointly trained minus frozen, the metric averaged over tasks.
    margin : share of the metric within which a difference is none.
    improving : whether a training was still getting better when its epochs were done.
    """
    chosen: Way = "joint" if mean.value > margin else "frozen"
    words = {task.name: effect(task.over_alone, margin) for task in tasks}
    gain = f"{_points(mean)} in the mean over {len(tasks)} tasks"
    if chosen == "joint":
        shown = "does better" if mean.low is not None and mean.low > 0 else "did better here, which may be chance"
        sentence = f"Train one network for all {len(tasks)} tasks. It {shown}: {gain} over the frozen one."
    else:
        shown = "does worse" if mean.high is not None and mean.high < 0 else "brings no more"
        sentence = f"Freeze one network under {len(tasks)} heads. Training it for all tasks {shown}: {gain}."
    reasons = _reasons(chosen, tasks, words)
    if improving:
        reasons.append(
            "Training was still getting better at its last epoch: more --epochs may change what is said here."
        )
    return Joined(chosen, words, sentence, tuple(reasons))


def effect(difference: Difference, margin: float) -> Transfer:
    """What a difference shows: within the margin it is neutral, across its edge nothing can be told.

    >>> effect(Difference(0.03, 0.01, 0.05), 0.005), effect(Difference(0.01, -0.02, 0.04), 0.005)
    ('helps', 'cannot_tell')
    """
    low, high = difference.low, difference.high
    if low is None or high is None:
        return "cannot_tell"
    if -margin <= low and high <= margin:
        return "neutral"
    return "helps" if low > 0 else "hurts" if high < 0 else "cannot_tell"


def _reasons(chosen: Way, tasks: Sequence[TaskFound], words: dict[str, Transfer]) -> list[str]:
    said = {
        "helps": "training together helps",
        "neutral": "training together is neutral",
        "hurts": "training together hurts",
        "cannot_tell": "whether training together helps cannot be told",
    }
    reasons = [
        f"{task.name}: {said[words[task.name]]}, {_points(task.over_alone)} against a network trained for it alone."
        for task in tasks
    ]
    for task in tasks:
        lost = task.alone_over_frozen if chosen == "frozen" else None
        if lost is not None and lost.low is not None and lost.low > 0:
            reasons.append(
                f"{task.name}: a network trained for it alone does better than what is handed back, {_points(lost)}: "
                "where it matters, keep one for it."
            )
        if chosen == "joint" and task.over_frozen.high is not None and task.over_frozen.high < 0:
            reasons.append(f"{task.name}: it does worse than the frozen network, {_points(task.over_frozen)}.")
    if chosen == "frozen":
        reasons.append("A further task costs the frozen network one more head, and the others nothing.")
    return reasons


def _points(difference: Difference) -> str:
    value = _signed(difference.value)
    if difference.low is None or difference.high is None:
        return f"{value} points (no interval)"
    return f"{value} points ({_signed(difference.low)} to {_signed(difference.high)})"


def _signed(share: float) -> str:
    size = f"{abs(100 * share):.1f}"
    return f"±{size}" if float(size) == 0 else f"{'+' if share > 0 else '−'}{size}"
