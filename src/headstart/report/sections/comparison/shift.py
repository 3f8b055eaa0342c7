"""P(X): how well the domains are told apart at every cut, by a classifier and by MMD²."""

from __future__ import annotations

from typing import Any

from headstart.report import wording
from headstart.report.charts.lines import CutPoint
from headstart.report.charts.shift import shift_by_cut
from headstart.report.comparison import Compared
from headstart.report.sections.figure import figure


def section(run: Compared) -> dict[str, Any] | None:
    """The chart by cut and the numbers behind it; None where features cannot be compared."""
    found = run.part("marginal")
    if not found:
        return None
    points = [CutPoint(cut["cut"], cut["value"], cut["low"], cut["high"]) for cut in found["cuts"]]
    name = f"{run.mark}shift"
    title = "Accuracy in telling the domains apart at every cut, held out, with 95 % intervals"
    given = run.part("given_class")
    return {
        "figure": figure(
            lambda width: shift_by_cut(points, tolerated=run.tolerated, name=name, title=title, width=width)
        ),
        "n": wording.count(found["n"]),
        "clearest": found["clearest"],
        "value": wording.estimate(found),
        "p": _p(found["p"]),
        "mmd_p": _p(found["mmd_p"]),
        "given": wording.estimate(given) if given else "",
        "estimated": bool(given.get("estimated")),
        "rows": [_row(cut, mmd) for cut, mmd in zip(found["cuts"], found["mmd"], strict=True)],
    }


def _row(cut: dict[str, Any], mmd: dict[str, Any]) -> dict[str, str]:
    ends = f"{mmd['low']:.4f} to {mmd['high']:.4f}".replace("-", "−")
    return {
        "cut": cut["cut"],
        "value": wording.estimate(cut),
        "p": _p(cut["p"]),
        "mmd": f"{mmd['value']:.4f}".replace("-", "−"),
        "ends": ends,
        "mmd_p": _p(mmd["p"]),
    }


def _p(value: float) -> str:
    return f"{value:.3f}"
