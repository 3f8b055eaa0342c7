"""Freeze or fine-tune? One sentence, its reasons, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.strategies import TABLE

Kind = Literal["freeze", "finetune", "train_all", "no_transfer", "cannot_tell"]
Transfer = Literal["helps", "neutral", "hurts", "cannot_tell"]

LEVEL = 0.90
"""Level of the simultaneous two-sided intervals: 'worse' is shown at 5 % one-sided, for all candidates at once."""


MOST_IMAGES = 50
"""Times as many validation images as there are: beyond that, collecting them is no advice."""


@dataclass(frozen=True)
class Candidate:
    """A finalist as its record tells it: `value` is the metric as a share, `what` says in words what to do.

    `dropped` ones were shown to fall behind another before they had run to their end, and are never chosen.
    """

    strategy: str
    value: float
    what: str
    still_improving: bool = False
    dropped: bool = False


@dataclass(frozen=True)
class Difference:
    """a − b of the metric on the same images; the interval is None where nothing could be resampled."""

    a: str
    b: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """What to do, and why.

    Attributes
    ----------
    kind : freeze, finetune, train_all, no_transfer, cannot_tell.
    chosen, best : strategies; `best` has the highest value, `chosen` is handed back.
    transfer : what transfer brings against the best control.
    doubted : the cheaper strategy that may do as well, where that cannot be told; empty elsewhere.
    """

    kind: Kind
    sentence: str
    reasons: tuple[str, ...]
    chosen: str
    best: str
    transfer: Transfer
    doubted: str = ""


def decide(
    candidates: Sequence[Candidate],
    *,
    to_best: Mapping[str, Difference],
    to_control: Difference | None,
    to_guess: Difference | None = None,
    margin: float,
    n: int,
) -> Verdict:
    """The cheapest transferred candidate within `margin` of the best; *cannot tell* where a cheaper one may be as good.

    A cheaper one may be as good where it is not shown to be worse than the best by more than `margin`. What did
    better is handed back all the same: its training is paid for, and its value is the best guess there is.

    Parameters
    ----------
    candidates : finalists, in the order of the table of strategies (cheapest first), controls included.
    to_best : for every transferred candidate but the best one, best − candidate, simultaneous.
    to_control : best transferred − best control, or None where no control was run.
    to_guess : best transferred − always the most frequent class, simultaneous over all transferred.
    margin : share that is not worth paying for, e.g. 0.005.
    n : images they were compared on.
    """
    by_name = {candidate.strategy: candidate for candidate in candidates}
    transferred = [c for c in candidates if not TABLE[c.strategy].control]
    controls = [c for c in candidates if TABLE[c.strategy].control]
    best = max((c for c in transferred if not c.dropped), key=lambda c: c.value)
    transfer = shown(to_control.low, to_control.high, margin) if to_control else "cannot_tell"
    reasons = _about_controls(best, controls, to_control, transfer)
    if transfer in ("hurts", "neutral") and to_control is not None:
        control = by_name[to_control.b]
        handed = control if transfer == "hurts" or control.value >= best.value else best
        does = "hurts" if transfer == "hurts" else "does not help"
        than = "did better" if transfer == "hurts" else "did as well"
        sentence = f"Transfer {does} here: to {control.what} {than}. {_capital(handed.what)}."
        return Verdict("no_transfer", sentence, tuple(reasons), handed.strategy, best.strategy, transfer)
    stayed = [c for c in transferred if not c.dropped]
    chosen = next(c for c in stayed if c is best or best.value - c.value <= margin)
    if to_guess is not None and to_guess.low is not None and to_guess.low <= 0:
        sentence = (
            f"Nothing is shown to transfer here: to {best.what} is {_points(to_guess)} over always saying the most "
            f"frequent class. Look at the labels; until then you get what there is: {chosen.what}."
        )
        return Verdict("no_transfer", sentence, tuple(reasons), chosen.strategy, best.strategy, transfer)
    cheaper = stayed[: stayed.index(chosen)]
    doubted = next((c for c in cheaper if _not_shown_worse(to_best[c.strategy], margin)), None)
    reasons = _about_ladder(transferred, best, to_best=to_best, margin=margin) + reasons
    if doubted is not None:
        difference = to_best[doubted.strategy]
        reasons.append(_what_would_decide(difference, margin, n))
        what = "It did better here, so it is" if chosen is best else f"To {chosen.what} is within the margin, and"
        sentence = (
            f"Cannot tell whether it pays to {best.what}: {_points(difference)} over {TABLE[doubted.strategy].title}. "
            f"{what} what you get; to {doubted.what} may do as well."
        )
        named = (chosen.strategy, best.strategy, transfer, doubted.strategy)
        return Verdict("cannot_tell", sentence, tuple(reasons), *named)
    sentence = f"{_capital(chosen.what)}: {_because(transferred, chosen, best, to_best=to_best, margin=margin)}."
    return Verdict(_kind(chosen.strategy), sentence, tuple(reasons), chosen.strategy, best.strategy, transfer)


def _kind(strategy: str) -> Kind:
    row = TABLE[strategy]
    if not row.trains:
        return "freeze"
    return "train_all" if row.frozen == "nothing" and not row.only else "finetune"


def _because(
    transferred: Sequence[Candidate],
    chosen: Candidate,
    best: Candidate,
    *,
    to_best: Mapping[str, Difference],
    margin: float,
) -> str:
    if len(transferred) == 1:
        return "nothing dearer was tried"
    if chosen is best and chosen.strategy == "probe":
        return "nothing that was fine-tuned did better"
    if chosen is not best:
        return f"nothing dearer brought more than {100 * margin:g} points"
    cheapest = transferred[0]
    return f"{_points(to_best[cheapest.strategy])} over {TABLE[cheapest.strategy].title}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _not_shown_worse(difference: Difference, margin: float) -> bool:
    return difference.low is None or difference.low <= margin


def shown(low: float | None, high: float | None, margin: float) -> Transfer:
    """What the interval of a difference shows, in shares of the metric as `margin` is; without one, nothing."""
    if low is None or high is None:
        return "cannot_tell"
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    return "neutral" if -margin <= low and high <= margin else "cannot_tell"


def _about_ladder(
    transferred: Sequence[Candidate], best: Candidate, *, to_best: Mapping[str, Difference], margin: float
) -> list[str]:
    """A sentence for each step of the ladder below and beside the best one."""
    reasons = []
    for candidate in transferred:
        if candidate is best:
            continue
        difference = to_best[candidate.strategy]
        if candidate.dropped:
            ahead = f"on what it ran, {TABLE[best.strategy].title} is ahead by {_points(difference)}"
            reasons.append(f"{_capital(TABLE[candidate.strategy].title)} was dropped before its end: {ahead}.")
            continue
        shown = "shown to be worse" if not _not_shown_worse(difference, margin) else "not shown to be worse"
        reasons.append(
            f"{_capital(TABLE[candidate.strategy].title)} is {shown} than {TABLE[best.strategy].title} "
            f"by more than {100 * margin:g} points: the difference is {_points(difference)}."
        )
    if len(transferred) == 1:
        reasons.append("Nothing but frozen features was tried, so nothing says whether fine-tuning would bring more.")
    return reasons


def _about_controls(
    best: Candidate, controls: Sequence[Candidate], difference: Difference | None, transfer: Transfer
) -> list[str]:
    if difference is None:
        return ["No control was run, so nothing says whether transfer helped at all."]
    said = {
        "helps": "Transfer helps",
        "hurts": "Transfer hurts",
        "neutral": "Transfer makes no difference",
        "cannot_tell": "It is not shown whether transfer helps",
    }[transfer]
    title = TABLE[difference.b].title
    reasons = [f"{said}: {TABLE[best.strategy].title} against {title}, {_points(difference)}."]
    if transfer == "cannot_tell" and difference.value < 0:
        control = next(c for c in controls if c.strategy == difference.b)
        reasons.append(f"That control did better here: to {control.what} may do as well.")
    if all(c.strategy != "scratch" for c in controls):
        reasons.append("Training from scratch was not tried: random features are the weaker control.")
    if any(c.strategy == "scratch" and c.still_improving for c in controls):
        shown = (
            ": transfer is shown to be faster within this budget, not better for ever" if transfer == "helps" else ""
        )
        reasons.append(f"Training from scratch was still improving when its share of the budget ended{shown}.")
    return reasons


def _what_would_decide(difference: Difference, margin: float, n: int) -> str:
    if difference.low is None:
        return "More groups of validation images would allow an interval."
    half = difference.value - difference.low
    needed = int(round(n * (half / max(difference.value - margin, 1e-9)) ** 2, -1))
    if needed > MOST_IMAGES * n:
        return f"The difference is too close to the margin for more validation images (now {n}) to be worth collecting."
    return f"If the difference is what it seems, about {max(needed, n + 10)} validation images (now {n}) would show it."


def _points(difference: Difference) -> str:
    value = f"{100 * difference.value:+.1f} points"
    if difference.low is None or difference.high is None:
        return f"{value} (no interval)"
    return f"{value} ({LEVEL:.0%} interval {100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
