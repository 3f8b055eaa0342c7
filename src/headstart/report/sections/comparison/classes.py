"""Classes: shared, nearly shared, private; how frequent they are; whether they mean the same."""

from __future__ import annotations

from typing import Any

from headstart.problem import mapped
from headstart.report import wording
from headstart.report.comparison import Compared

SHOWN = 12
"""Classes in sight, those whose shares differ most; the others fold out."""


def section(run: Compared) -> dict[str, Any] | None:
    """Label spaces, class priors, and the heads of both domains; None without labels of the source."""
    labels, prior, heads = run.part("labels"), run.part("prior"), run.part("conditional")
    if not labels and not prior:
        return None
    rows = _rows(prior)
    return {
        "relation": labels.get("relation", ""),
        "shared": labels.get("shared", []),
        "offered": [mapped(one, other) for one, other in labels.get("near", [])],
        "alike": [f"{one} and {other}" for one, other, _ in labels.get("alike", [])],
        "source_only": labels.get("source_only", []),
        "target_only": labels.get("target_only", []),
        "estimated": bool(prior.get("estimates")),
        "rows": rows[:SHOWN],
        "more": rows[SHOWN:],
        "heads": _heads(heads),
    }


def _rows(prior: dict[str, Any]) -> list[dict[str, str]]:
    if not prior:
        return []
    names, source = prior["classes"], prior["source"]
    if prior["estimates"]:
        by = {one["method"]: one for one in prior["estimates"]}
        bbse, em = by["bbse"], by["em"]
        told = [
            {
                "name": name,
                "source": wording.share(source[k]),
                "target": wording.estimate({"value": bbse["prior"][k], "low": bbse["low"][k], "high": bbse["high"][k]}),
                "other": wording.estimate({"value": em["prior"][k], "low": em["low"][k], "high": em["high"][k]}),
                "apart": abs(bbse["prior"][k] - source[k]),
            }
            for k, name in enumerate(names)
        ]
    else:
        told = [
            {
                "name": name,
                "source": wording.share(source[k]),
                "target": wording.share(prior["target"][k]),
                "other": wording.points(prior["target"][k] - source[k], prior["low"][k], prior["high"][k], unit=""),
                "apart": abs(prior["target"][k] - source[k]),
            }
            for k, name in enumerate(names)
        ]
    return sorted(told, key=lambda row: -row["apart"])


def _heads(heads: dict[str, Any]) -> dict[str, str]:
    if not heads:
        return {}
    return {
        "source": wording.share(heads["source"]),
        "target": wording.share(heads["target"]),
        "cost": wording.points(*(heads["cost"][end] for end in ("value", "low", "high"))),
        "accuracy": wording.points(*(heads["accuracy"][end] for end in ("value", "low", "high"))),
        "n": wording.count(heads["n"]),
    }
