"""The first screen: the sentence, the test, the chosen model, the time."""

from __future__ import annotations

from typing import Any

from headstart.report import wording
from headstart.report.reading import Run, block_of, difference, total, untried


def section(run: Run) -> dict[str, Any]:
    """The verdict, or, where it is not there yet, why not."""
    detail = run.verdict.detail if run.verdict else {}
    headline, stop, advice = str(detail.get("sentence") or _without(run)).partition(". ")
    return {
        "headline": headline + stop.strip(),
        "advice": advice,
        "kind": wording.KINDS.get(str(detail.get("kind")), ""),
        "reasons": [*(detail.get("reasons") or []), *(detail.get("why") or []), *_retained(run)],
        "strip": [cell for cell in (_tested(run), _model(run), _time(run)) if cell],
        "transfer": _transfer(run),
        "missing": run.missing,
    }


def _retained(run: Run) -> list[str]:
    return [wording.retained(run.retained.metrics, run.retained.detail)] if run.retained else []


def _without(run: Run) -> str:
    if len(run.candidates) == 1 and not run.missing:
        only = run.candidates[0]
        return f"{wording.strategy(only.strategy, run.title(only.strategy))}: the one strategy that was run."
    return "There is no verdict yet."


def _tested(run: Run) -> dict[str, Any] | None:
    if run.test is None:
        return None
    metrics = run.test.metrics
    low, high = metrics.get("low"), metrics.get("high")
    notes = [f"95 % interval {wording.interval(low, high)}"] if low is not None and high is not None else []
    notes.append(f"{wording.plural(metrics.get('n') or 0, 'image')}, read once")
    if run.metric != "accuracy" and metrics.get("accuracy") is not None:
        notes.append(f"accuracy {wording.share(metrics['accuracy'])}")
    return {
        "name": f"Test {wording.metric(run.metric)}",
        "value": wording.share(metrics.get("value")),
        "notes": notes,
        "range": (metrics.get("value"), low, high),
    }


def _model(run: Run) -> dict[str, Any] | None:
    candidates = {r.strategy: r for r in run.candidates}
    record = run.final or candidates.get(run.chosen)
    if record is None:
        return None
    notes = [wording.strategy(record.strategy, run.title(record.strategy))]
    notes.append(wording.kept(record.strategy, record.cut, block_of(record)))
    if record.detail.get("refit"):
        notes.append("trained anew on training and validation parts")
    return {
        "name": "Chosen model" if run.verdict else "Model",
        "value": record.backbone.rpartition("/")[2] or wording.MISSING,
        "notes": notes,
    }


def _time(run: Run) -> dict[str, Any] | None:
    if run.spent is None:
        return None
    spent, budget = total(run.spent, "total_s"), total(run.spent, "budget_s")
    notes = [f"of a budget of {wording.seconds(budget)}"] if budget is not None else []
    peak = total(run.spent, "peak_bytes")
    return {
        "name": "Time spent",
        "value": wording.seconds(spent),
        "notes": [*notes, f"at most {wording.size(peak)} of memory"] if peak is not None else notes,
    }


def _transfer(run: Run) -> dict[str, Any] | None:
    """What was transferred, against the two controls that transfer nothing."""
    word = str(run.verdict.detail.get("transfer") or "") if run.verdict else ""
    if word not in wording.TRANSFER:
        return None
    against = [pair for control in wording.CONTROLS if (pair := _against(run, control))]
    note = "Training from scratch was not tried" if run.verdict and untried(run.verdict) else ""
    return {"word": word, "title": wording.TRANSFER[word], "against": against, "note": note}


def _against(run: Run, control: str) -> dict[str, str] | None:
    """A control's distance from the chosen candidate; where only the best was compared with it, from that."""
    best = str(run.verdict.detail.get("best") or "") if run.verdict else ""
    for reference in dict.fromkeys((run.chosen, best)):
        paired = difference(run.verdict, reference, control)
        if paired is not None:
            return {"b": _title(run, control), "words": wording.points(*paired)}
    return None


def _title(run: Run, strategy: str) -> str:
    return wording.strategy(strategy, run.title(strategy))
