"""A pretraining: what was learned, what the network was asked, how it went, and what can be read from it."""

from __future__ import annotations

from typing import Any

from headstart.records import Journal
from headstart.report import wording
from headstart.report.charts import Course, CutPoint, Series, lines_by_cut, shares_by_epoch
from headstart.report.pictures import data_uri
from headstart.report.reading import Run, total
from headstart.report.sections.figure import figure

KINDS = {
    "helps": "Helps",
    "hurts": "Hurts",
    "neutral": "Changes nothing",
    "cannot_tell": "Cannot tell",
    "collapsed": "Collapsed",
    "unknown": "Learned",
}


def verdict(run: Run, journal: Journal) -> dict[str, Any]:
    """The first screen, or why there is none yet."""
    detail = run.verdict.detail if run.verdict else {}
    epochs = [record.metrics for record in journal.of("epoch")]
    needed = {"the verdict": run.verdict, "what was spent": run.spent}
    cells = [_solved(epochs), _probe(journal), _seen(run, journal)]
    return {
        "headline": str(detail.get("sentence") or "The network is still learning."),
        "advice": f"Use it: headstart fit YOUR_IMAGES --out RUN --backbone run:{run.folder}" if run.bundle else "",
        "kind": KINDS.get(str(detail.get("word") or ""), ""),
        "reasons": list(detail.get("reasons") or []),
        "strip": [cell for cell in cells if cell],
        "transfer": None,
        "missing": [name for name, record in needed.items() if record is None],
    }


def _solved(epochs: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not epochs or epochs[-1]["solved"] is None:
        return None
    notes = [f"before: {wording.share(epochs[0]['solved'])}", f"by chance: {wording.share(epochs[-1]['chance'])}"]
    return {"name": "Surrogate task, solved", "value": wording.share(epochs[-1]["solved"]), "notes": notes}


def _probe(journal: Journal) -> dict[str, Any] | None:
    cuts = journal.get("cuts")
    if cuts is None:
        return None
    top = cuts.detail["cuts"]["all cuts"]
    after, gain = top["after"], top["gain"]
    notes = [f"before: {wording.share(top['before']['value'])}", wording.points(*(gain[e] for e in ENDS))]
    ends = (after["value"], after["low"], after["high"])
    return {"name": "Linear probe on all cuts", "value": wording.share(after["value"]), "range": ends, "notes": notes}


ENDS = ("value", "low", "high")


def _seen(run: Run, journal: Journal) -> dict[str, Any] | None:
    training = journal.get("training")
    if training is None or run.data is None:
        return None
    seconds = training.cost["seconds"]
    notes = [wording.plural(training.recipe["epochs"], "epoch"), f"{training.cost['images'] / seconds:,.0f} images/s"]
    if run.spent:
        notes.append(f"{wording.seconds(total(run.spent, 'total_s'))} in all")
    return {"name": "Images", "value": wording.count(run.data.metrics["used"]), "notes": notes}


def shown(run: Run, journal: Journal) -> dict[str, Any] | None:
    """Pictures of some sets, and what is right of each."""
    record = journal.get("shown")
    if record is None:
        return None
    cards = [{"uri": data_uri(run.folder, one["picture"]), "answer": one["answer"]} for one in record.detail["sets"]]
    return {"question": record.detail["question"], "cards": cards}


def learned(run: Run, journal: Journal) -> dict[str, Any] | None:
    """Shares by epoch, and how features are spread."""
    epochs = [record.metrics for record in journal.of("epoch")]
    if len(epochs) < 2:
        return None
    courses = []
    if solved := tuple((e["epoch"], e["solved"]) for e in epochs if e["solved"] is not None):
        courses.append(Course("Surrogate task, solved", solved, epochs[-1]["chance"]))
    if probes := tuple((e["epoch"], e["probe"]) for e in epochs if "probe" in e):
        courses.append(Course("Linear probe on the top", probes))
    looked = [e for e in epochs if "rank" in e]
    title = "Shares by epoch"
    return {
        "figure": figure(lambda width: shares_by_epoch(courses, name="epochs", title=title, width=width))
        if courses
        else "",
        "rows": [_looked(e) for e in looked],
        "slow": any(e.get("slowness") is not None for e in looked),
        "probe": bool(probes),
    }


def _looked(epoch: dict[str, Any]) -> dict[str, str]:
    slow = epoch.get("slowness")
    return {
        "epoch": str(epoch["epoch"]),
        "loss": f"{epoch['loss']:.3f}" if epoch["loss"] is not None else wording.MISSING,
        "solved": wording.share(epoch["solved"]) if epoch["solved"] is not None else wording.MISSING,
        "probe": wording.share(epoch["probe"]) if "probe" in epoch else wording.MISSING,
        "rank": f"{epoch['rank']:.1f}",
        "spread": f"{epoch['spread']:.3f}",
        "slowness": f"{slow:.3f}" if slow is not None else wording.MISSING,
    }


def probed(journal: Journal) -> dict[str, Any] | None:
    """A linear probe at every cut, before and after."""
    record = journal.get("cuts")
    if record is None:
        return None
    cuts = record.detail["cuts"]
    series = [
        Series(title, tuple(_point(cut, found[side]) for cut, found in cuts.items()))
        for title, side in (("Before", "before"), ("After", "after"))
    ]
    title = "Accuracy of a linear probe at each cut, with 95 % intervals"
    rows = [
        {
            "cut": cut,
            "before": wording.estimate(found["before"]),
            "after": wording.estimate(found["after"]),
            "gain": wording.points(*(found["gain"][end] for end in ENDS)),
        }
        for cut, found in cuts.items()
    ]
    return {
        "figure": figure(lambda width: lines_by_cut(series, name="cuts", title=title, width=width)),
        "rows": rows,
        "fitted": wording.count(record.detail["fitted"]),
        "judged": wording.count(record.metrics["n"]),
        "classes": wording.plural(len(record.detail["classes"]), "class"),
    }


def _point(cut: str, found: dict[str, float | None]) -> CutPoint:
    assert found["value"] is not None
    return CutPoint(cut, found["value"], found["low"], found["high"], joined=cut == "all cuts")


def material(run: Run) -> dict[str, Any] | None:
    """Counts and notes of the images."""
    if run.data is None:
        return None
    metrics, detail = run.data.metrics, run.data.detail
    facts = [("Images", metrics["images"]), ("Usable", metrics["used"]), ("Broken", metrics["broken"])]
    sets = detail["sets"]
    told = [(name.capitalize(), wording.setting(value)) for name, value in sets.items() if value]
    return {
        "facts": [{"name": name, "value": wording.count(value)} for name, value in facts],
        "told": told,
        "notes": list(detail["notes"]),
        "broken": list(detail["broken"]),
        "more": metrics["broken"] - len(detail["broken"]),
        "root": detail["root"],
    }
