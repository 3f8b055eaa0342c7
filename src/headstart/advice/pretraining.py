"""What is said of a pretraining: whether the surrogate task was learned, features collapsed, and it helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headstart.advice.verdict import shown

Word = Literal["helps", "hurts", "neutral", "cannot_tell", "collapsed", "unknown"]
BARELY = 0.02
"""Share of the questions above chance up to which a surrogate task has hardly been learned."""


@dataclass(frozen=True)
class Pretrained:
    """The answer.

    Attributes
    ----------
    word : whether a linear probe reads more than before, where there were labelled images to tell by.
    sentence, reasons : for people.
    """

    word: Word
    sentence: str
    reasons: tuple[str, ...]


def judge_pretraining(
    title: str,
    epochs: Sequence[Mapping[str, Any]],
    *,
    gain: Mapping[str, float | None] | None,
    margin: float,
) -> Pretrained:
    """From what was measured after each epoch, and the gain of the probe over the start.

    Parameters
    ----------
    title : of the surrogate task, to stand in a sentence.
    epochs : metrics of each, the start first: ``solved``, ``chance`` and, of some, ``collapsed``, ``rank``.
    gain : ``value``, ``low``, ``high`` of the accuracy of a probe after minus before; None where nothing was probed.
    margin : share of the accuracy below which nothing differs.
    """
    first, last = epochs[0], epochs[-1]
    looked = [one for one in epochs if "rank" in one]
    reasons = [_solved(first, last)]
    if looked and looked[-1]["collapsed"]:
        fact = "Features have collapsed, to a point or to a line: they hardly tell images apart."
        told = f"They use {looked[-1]['rank']:.1f} directions; {looked[0]['rank']:.1f} were used before."
        return Pretrained("collapsed", fact, (told, "Try another method, more images, or fewer epochs.", *reasons))
    if gain is None:
        reasons.append("No labelled images were given, so whether it helps your task is not known.")
        learned = "has learned" if _learned(last) else "has hardly learned anything"
        return Pretrained("unknown", f"The network {learned} from {title}.", tuple(reasons))
    low, high = gain["low"], gain["high"]
    word: Word = "cannot_tell" if low is None or high is None else shown(low, high, margin)
    sentences: dict[str, str] = {
        "helps": f"Learning from {title} helps: a linear probe reads more from the network than before.",
        "hurts": f"Learning from {title} hurts: a linear probe reads less from the network than before.",
        "neutral": f"Learning from {title} changes nothing that a linear probe could read.",
        "cannot_tell": f"Whether learning from {title} helps cannot be told from these labelled images.",
    }
    return Pretrained(word, sentences[word], tuple(reasons))


def _learned(last: Mapping[str, Any]) -> bool:
    return last["solved"] is None or last["solved"] > last["chance"] + BARELY


def _solved(first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    if last["solved"] is None:
        return "No set that was kept apart poses a question that could be answered rightly: too few frames are distant."
    was, now, chance = (f"{100 * one:.0f} %" for one in (first["solved"], last["solved"], last["chance"]))
    # Where classes were put together on the way, the questions before were other ones.
    before = f"{was} were before, " if first["chance"] == last["chance"] else ""
    told = f"Of the surrogate’s questions {now} are answered rightly; {before}{chance} are by chance."
    return told if _learned(last) else f"{told} It was hardly learned."
