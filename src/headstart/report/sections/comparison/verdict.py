"""The first screen: the case, and the five answers."""

from __future__ import annotations

from typing import Any

from headstart.report import wording
from headstart.report.comparison import ABOUT, Compared

NEEDED = {"data": "the feature spaces", "marginal": "P(X)", "verdict": "the case"}


def section(run: Compared) -> dict[str, Any]:
    """The case in a sentence, a strip of five answers, and each of them in full."""
    found = run.part("verdict")
    case, answers = found.get("case") or {}, found.get("answers") or []
    missing = [] if found else [name for key, name in NEEDED.items() if not run.part(key)]
    headline, _, advice = str(case.get("sentence") or "There is no verdict yet.").partition(": ")
    return {
        "names": run.names,
        "headline": headline,
        "advice": advice[:1].upper() + advice[1:],
        "strip": [_cell(answer) for answer in answers],
        "answers": answers,
        "disagreement": case.get("disagreement") or "",
        "missing": missing,
    }


def _cell(answer: dict[str, Any]) -> dict[str, Any]:
    judgement, value = str(answer["judgement"]), answer.get("value")
    size = f"{wording.signed(value)} points" if value is not None else ""
    ends = "" if answer.get("low") is None else f"{wording.signed(answer['low'])} to {wording.signed(answer['high'])}"
    tone = {"different": "hurts", "same": "helps"}.get(judgement, "")
    return {"name": ABOUT[answer["about"]], "value": judgement.capitalize(), "tone": tone, "notes": [size, ends]}
