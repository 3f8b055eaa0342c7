"""The test part, read once: the scores, what was taken for what, class by class."""

from __future__ import annotations

from typing import Any

from headstart.records import Record
from headstart.report import wording
from headstart.report.charts import confusion
from headstart.report.charts.confusion import most_confused
from headstart.report.reading import Run
from headstart.report.sections.figure import figure

MOST_CLASSES = 40
"""Above this many classes a confusion matrix is a texture, not a table."""

SCORES = ("accuracy", "balanced_accuracy", "macro_f1")


def section(run: Run) -> dict[str, Any] | None:
    """Scores, confusion and classes of the test record."""
    if run.test is None:
        return None
    detail = run.test.detail
    classes = [str(name) for name in detail.get("classes") or []]
    counts = detail.get("confusion") or []
    drawn = bool(classes) and len(counts) == len(classes) <= MOST_CLASSES
    title = "Confusion matrix of the test part"
    return {
        "scores": _scores(run.test),
        "value": wording.estimate(run.test.metrics),
        "metric": wording.metric(run.metric),
        "n": wording.plural(run.test.metrics.get("n") or 0, "image"),
        "classes": len(classes),
        "figure": figure(lambda width: confusion(classes, counts, name="confusion", title=title, width=width))
        if drawn
        else "",
        "pairs": _pairs(classes, counts),
        "per_class": _per_class(detail.get("per_class") or []),
    }


def _scores(test: Record) -> list[dict[str, str]]:
    scores = [
        {"name": wording.metric(name), "value": wording.share(test.metrics[name])}
        for name in SCORES
        if test.metrics.get(name) is not None
    ]
    if test.metrics.get("calibration_error") is not None:
        error = wording.share(test.metrics["calibration_error"])
        scores.append({"name": wording.metric("calibration_error"), "value": error})
    if test.metrics.get("log_loss") is not None:
        scores.append({"name": wording.metric("log_loss"), "value": wording.decimal(test.metrics["log_loss"])})
    return scores


def _pairs(classes: list[str], counts: list[list[int]]) -> list[dict[str, Any]]:
    most = 8 if len(classes) <= MOST_CLASSES else 20
    if len(counts) != len(classes):
        return []
    totals = dict(zip(classes, (sum(row) for row in counts), strict=True))
    return [
        {"truth": truth, "predicted": predicted, "count": value, "share": wording.share(value / totals[truth])}
        for truth, predicted, value in most_confused(classes, counts, most=most)
    ]


def _per_class(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The classes, the least recalled first; one without test images stands last."""
    ordered = sorted(rows, key=lambda row: (row.get("recall") is None, row.get("recall") or 0.0))
    return [
        {
            "name": str(row.get("class")),
            "n": wording.count(row.get("n")),
            "recall": wording.share(row.get("recall")),
            "recall_share": row.get("recall") or 0.0,
            "precision": wording.share(row.get("precision")),
            "precision_share": row.get("precision") or 0.0,
        }
        for row in ordered
    ]
