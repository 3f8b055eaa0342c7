"""How transferable are these features? What is said of the cells of a laboratory: the paper's findings, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evidence.learning_curves import Forecast
from headstart.evidence.multiple import holm, paired_p
from headstart.evidence.transplants import Doubles, Transplant, differences, minus, over_seeds, rise

ALPHA = 0.05
FEWEST = 3
"""Seeds: two that happen to agree to an image would be a proof of anything."""
PLATEAU = 0.01
"""What a base may gain, over the last quarter of its epochs or in as many steps again, and be done; a share."""
Cells = Sequence[Transplant]


@dataclass(frozen=True)
class Finding:
    """One of the paper's findings, asked of these cells.

    Attributes
    ----------
    name, says : in a word, and as a statement.
    measure : what the number is, in words.
    value, low, high : the contrast, in shares of accuracy, mean over seeds and 95 % interval (None with one seed).
    p : two-sided, adjusted by Holm for all findings that could be asked.
    word : ``holds``, ``opposite`` (shown to be the other way round) or ``not shown``.
    """

    name: str
    says: str
    measure: str
    value: float
    low: float | None
    high: float | None
    p: float
    word: str


@dataclass(frozen=True)
class Plateau:
    """Whether the bases had learned what they could.

    Attributes
    ----------
    late : what they gained over the last quarter of their epochs, a share.
    value, low, high : BnB+ − base, mean over n and kinds of halves, and 95 % interval over seeds; None where BnB+ was
        not run.
    word : ``more training helps`` (BnB+ is shown to be above its base), ``still learning`` (by `late`), ``not known``,
        or ``plateau``.
    """

    late: float
    value: float | None
    low: float | None
    high: float | None
    word: str


@dataclass(frozen=True)
class _Asked:
    name: str
    says: str
    measure: str
    contrast: Callable[[Cells, Cells], Doubles | None]
    sign: int


def judge_transferability(near: Cells, far: Cells = ()) -> tuple[Finding, ...]:
    """Which findings of Yosinski et al. 2014 hold in these cells; those that cells are lacking for are left out.

    Each is one contrast, a number a seed, fixed before any cell was seen. It is tested by Student's t over seeds, of
    which there must be three, and all of them are corrected by Holm.

    Parameters
    ----------
    near : cells of halves that were drawn at random, or of the only kind that there is.
    far : those of dissimilar halves, of the same seeds.
    """
    asked = [(one, values) for one in FINDINGS if (values := one.contrast(near, far)) is not None]
    adjusted = holm([paired_p(values.tolist()) if len(values) >= FEWEST else 1.0 for _, values in asked])
    return tuple(_finding(one, over_seeds(values), p) for (one, values), p in zip(asked, adjusted, strict=True))


def judge_plateau(late: float, kinds: Sequence[Cells]) -> Plateau:
    """Whether the bases had come to a plateau.

    A learning rate that falls to nought flattens the end of any curve. What begins with layers of the base and trains
    all of them for as many steps again says more: where that ends above the base, the base was not done.

    Parameters
    ----------
    late : what bases gained over the last quarter of their epochs, a share.
    kinds : cells of each kind of halves, of the same seeds.
    """
    more = [values for own in kinds if (values := _mean(differences(own, "BnB+"))) is not None]
    found = over_seeds(np.mean(more, axis=0)) if more else None
    low, high = (found.low, found.high) if found is not None and len(more[0]) >= FEWEST else (None, None)
    if low is not None and low > 0:
        word = "more training helps"
    elif late > PLATEAU:
        word = "still learning"
    else:
        word = "plateau" if high is not None and high <= PLATEAU else "not known"
    if found is None:
        return Plateau(late, None, None, None, word)
    return Plateau(late, found.value, found.low, found.high, word)


def _finding(asked: _Asked, found: Forecast, p: float) -> Finding:
    word = "not shown"
    if p < ALPHA:
        word = "holds" if found.value * asked.sign > 0 else "opposite"
    return Finding(asked.name, asked.says, asked.measure, found.value, found.low, found.high, p, word)


def sentence(findings: Sequence[Finding]) -> str:
    """How many of them hold."""
    if not findings:
        return "Too few networks have been trained to say anything."
    counts = {word: sum(one.word == word for one in findings) for word in ("holds", "opposite", "not shown")}
    told = [f"{counts['holds']} {'holds' if counts['holds'] == 1 else 'hold'} here"]
    told += [f"{counts['opposite']} the other way round"] if counts["opposite"] else []
    told += [f"{counts['not shown']} not shown"] if counts["not shown"] else []
    return f"Of {len(findings)} findings of the paper {', '.join(told)}."


def _lower_transfer(near: Cells, far: Cells) -> Doubles | None:
    parts = differences(near, "AnB", "random")
    return parts[min(parts)] if parts else None


def _specialises(near: Cells, far: Cells) -> Doubles | None:
    parts = differences(near, "AnB", "BnB")
    return parts[max(parts)] - parts[min(parts)] if len(parts) > 1 else None


def _dips(near: Cells, far: Cells) -> Doubles | None:
    parts = differences(near, "BnB")
    if len(parts) < 3:
        return None
    first, *inner, last = (parts[n] for n in sorted(parts))
    return np.asarray(np.mean(inner, axis=0) - (first + last) / 2)


def _more_lost(near: Cells, far: Cells) -> dict[int, Doubles]:
    """By n, AnB − base between dissimilar halves, minus the same between the others."""
    return minus(differences(far, "AnB"), differences(near, "AnB"))


def _mean(parts: Mapping[int, Doubles]) -> Doubles | None:
    return np.mean(list(parts.values()), axis=0) if parts else None


FINDINGS = (
    _Asked(
        "lower layers transfer",
        "The first layers of the other task are worth more than random ones.",
        "AnB − random at the first n",
        _lower_transfer,
        1,
    ),
    _Asked(
        "upper layers specialise",
        "The further up the cut, the more is lost because features belong to the other task.",
        "AnB − BnB at the last n, minus the same at the first",
        _specialises,
        -1,
    ),
    _Asked(
        "co-adaptation dips in the middle",
        "Splitting layers that were trained together costs most in the middle of the network.",
        "BnB − base, mean of the inner n, minus mean of the first and the last",
        _dips,
        -1,
    ),
    _Asked(
        "dissimilar tasks lose more",
        "Frozen features carry over worse between dissimilar halves.",
        "AnB − base between dissimilar halves, minus the same between the others, mean over n",
        lambda near, far: _mean(_more_lost(near, far)),
        -1,
    ),
    _Asked(
        "and the more, the further up",
        "What dissimilar halves lose more grows with n.",
        "slope over n of that difference, a layer",
        lambda near, far: rise(parts) if len(parts := _more_lost(near, far)) > 1 else None,
        -1,
    ),
    _Asked(
        "even distant features beat random ones",
        "Frozen features of the other task, of the dissimilar half where there is one, beat random ones.",
        "AnB − random, mean over n",
        lambda near, far: _mean(differences(far or near, "AnB", "random")),
        1,
    ),
    _Asked(
        "transfer and fine-tuning end above the base",
        "A network that began with the other task's layers and was fine-tuned ends above one trained from scratch.",
        "AnB+ − base, mean over n",
        lambda near, far: _mean(differences(near, "AnB+")),
        1,
    ),
    _Asked(
        "and above more training alone",
        "The same beyond what beginning with the own task's layers gives.",
        "AnB+ − BnB+, mean over n",
        lambda near, far: _mean(differences(near, "AnB+", "BnB+")),
        1,
    ),
)
"""What is asked, in the order of the paper: the contrast, and the sign that it has there."""
