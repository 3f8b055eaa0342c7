"""A laboratory: what holds of the paper's findings, its figure on these images, and the drop taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from headstart.evidence.transplants import Transplant, differences, over_seeds
from headstart.records import Journal
from headstart.report import wording
from headstart.report.charts import Course, shares_by_epoch
from headstart.report.charts.transplants import Effect, Halved, Treated, lines_by_layer
from headstart.report.reading import Run, total
from headstart.report.sections.figure import figure
from headstart.strategies import TREATMENTS

KINDS = {
    "random": "Halves drawn at random",
    "dissimilar": "Halves as far apart as they come",
    "similar": "Halves as alike as they come",
    "names": "Halves in the order of names",
}
WORDS = {"holds": "helps", "opposite": "hurts", "not shown": "note"}
PARTS = (
    ("coadaptation", "Co-adaptation", "BnB − base"),
    ("specialisation", "Specialisation", "AnB − BnB"),
    ("loss", "Both", "AnB − base"),
    ("recovery", "Recovered", "BnB+ − BnB"),
    ("gain", "Transfer", "AnB+ − base"),
    ("beyond", "Beyond retraining", "AnB+ − BnB+"),
    ("over_random", "Over random", "AnB − random"),
)
AVERAGES = (("retrained", "BnB+ − base"), ("gain", "AnB+ − base"), ("beyond", "AnB+ − BnB+"))
SHOWN = 40
"""Classes of a half that are listed, at most."""


def verdict(run: Run, journal: Journal) -> dict[str, Any]:
    """The first screen, or why there is none yet."""
    detail = run.verdict.detail if run.verdict else {}
    plan = run.plan.detail if run.plan else {}
    networks = plan.get("networks") or {}
    cells = [
        {
            "name": "Networks",
            "value": wording.count(sum(networks.values())),
            "notes": [wording.plural(len(plan.get("seeds") or ()), "seed"), str(run.options.get("architecture"))],
        },
        {
            "name": "Steps of each",
            "value": wording.plural(plan.get("epochs") or 0, "epoch"),
            "notes": [f"cut at {wording.plural(len(plan.get('cuts') or ()), 'place')}"],
        },
    ]
    if run.data:
        notes = [wording.plural(run.data.metrics["classes"], "class")]
        cells.append({"name": "Images", "value": wording.count(run.data.metrics["images"]), "notes": notes})
    if run.spent:
        cells.append({"name": "Time", "value": wording.seconds(total(run.spent, "total_s")), "notes": []})
    needed = {"the findings": run.verdict, "what was spent": run.spent}
    return {
        "headline": str(detail.get("sentence") or "The networks are still learning."),
        "advice": "",
        "kind": "",
        "reasons": [],
        "strip": cells,
        "transfer": None,
        "missing": [name for name, record in needed.items() if record is None],
    }


def effects(cells: Mapping[str, Sequence[Transplant]]) -> dict[str, Any] | None:
    """The paper's figure: every treatment against the base of its own half, by n and kind of split."""
    kinds = []
    for kind, own in cells.items():
        series = []
        for name in TREATMENTS:
            found = {n: over_seeds(values) for n, values in differences(own, name).items()}
            points = tuple(Effect(n, one.value, one.low, one.high) for n, one in found.items())
            series += [Treated(name, points)] if points else []
        kinds += [Halved(KINDS.get(kind, f"Halves of {kind}"), tuple(series))] if series else []
    if not kinds:
        return None
    title = "Accuracy against the base, in points, by the number of layers kept"
    return {
        "figure": figure(lambda width: lines_by_layer(kinds, name="effects", title=title, width=width)),
        "treatments": [{"name": row.name, "says": row.says} for row in TREATMENTS.values()],
        "bases": [
            {
                "kind": KINDS.get(kind, kind),
                "value": wording.share(mean({(c.seed, c.target): c.base for c in own}.values())),
            }
            for kind, own in cells.items()
            if own
        ],
    }


def findings(run: Run) -> dict[str, Any] | None:
    """One by one, with the numbers that they rest on."""
    if run.verdict is None:
        return None
    rows = [
        {
            "says": one["says"],
            "word": one["word"].capitalize(),
            "tone": WORDS[one["word"]],
            "value": wording.points(one["value"], one["low"], one["high"]),
            "measure": one["measure"],
            "p": "" if one["low"] is None else f"{one['p']:.3f}",
        }
        for one in run.verdict.detail["findings"]
    ]
    return {"rows": rows, "near": run.verdict.detail["near"], "far": run.verdict.detail["far"]}


def drops(run: Run) -> dict[str, Any] | None:
    """The drop taken apart at every n, with all labels, and averages over ranges of n as the paper has them."""
    if run.verdict is None or run.plan is None:
        return None
    cuts = {n: cut for cut, n in run.plan.detail["cuts"].items()}
    tables = []
    for kind, by_labels in run.verdict.detail["parts"].items():
        found = by_labels["0"]
        rows = [
            {"n": drop["n"], "cut": cuts[drop["n"]], "cells": [_cell(drop[key]) for key, *_ in PARTS]}
            for drop in found["drops"]
        ]
        ranges = [
            {"name": title, "cells": [(name, _cell(value)) for name, value in found["averages"][key].items()]}
            for key, title in AVERAGES
        ]
        tables.append({"title": KINDS.get(kind, f"Halves of {kind}"), "rows": rows, "ranges": ranges})
    return {"heads": [(title, minus) for _, title, minus in PARTS], "tables": tables}


def few_labels(run: Run) -> dict[str, Any] | None:
    """The same with few labels of a class in the target half."""
    if run.verdict is None:
        return None
    numbers = sorted(
        {int(k) for by_labels in run.verdict.detail["parts"].values() for k in by_labels}, key=lambda k: k or 10**9
    )
    if len(numbers) < 2:
        return None
    rows = [
        {
            "kind": KINDS.get(kind, f"Halves of {kind}"),
            "n": drop["n"],
            "labels": wording.count(k) if k else "all",
            "cells": [_cell(drop[name]) for name in ("loss", "gain", "over_random")],
        }
        for kind, by_labels in run.verdict.detail["parts"].items()
        for k in numbers
        for drop in by_labels[str(k)]["drops"]
    ]
    rows += [
        {
            "kind": KINDS.get(kind, f"Halves of {kind}"),
            "n": "mean",
            "labels": f"{wording.count(int(k))} − all",
            "cells": [_cell(found[name]) for name in ("loss", "gain", "over_random")],
        }
        for kind, by_number in run.verdict.detail.get("by_labels", {}).items()
        for k, found in by_number.items()
    ]
    return {"rows": rows}


def halves(run: Run, journal: Journal) -> dict[str, Any] | None:
    """Which classes stand in which half of the first seed, and how far apart the halves are."""
    records = journal.of("halves")
    if not records:
        return None
    rows = []
    parts = run.verdict.detail["parts"] if run.verdict else {}
    for kind in dict.fromkeys(record.strategy for record in records):
        own = [record for record in records if record.strategy == kind]
        last = parts[kind]["0"]["drops"][-1] if kind in parts else None
        rows.append(
            {
                "title": KINDS.get(kind, f"Halves of {kind}"),
                "distance": f"{mean(record.metrics['distance'] for record in own):.2f}",
                "drawn": len({tuple(record.detail["A"]) for record in own}) > 1,
                "a": _listed(own[0].detail["A"]),
                "b": _listed(own[0].detail["B"]),
                "lost": _cell(last["loss"]) if last else None,
                "n": last["n"] if last else 0,
            }
        )
    reference = str(run.options.get("reference"))
    return {"rows": rows, "reference": reference, "rising": _rising(run.verdict.detail if run.verdict else {})}


def _rising(detail: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is lost more with the distance of the halves, a tenth of it: no two pairs are 1 apart."""
    found = detail.get("by_distance")
    if found is None:
        return None
    value, low, high = (None if found[end] is None else found[end] / 10 for end in ("value", "low", "high"))
    return {"n": found["n"], "pairs": found["pairs"], "by_tenth": wording.points(value, low, high)}


def bases(run: Run, journal: Journal) -> dict[str, Any] | None:
    """How the bases learned, and whether they had come to a plateau; which learning rate was chosen."""
    own = [record for record in journal.of("cell") if not record.detail["n"] and not record.detail["labels"]]
    rate = journal.get("rate")
    if not own:
        return None
    courses = []
    for kind in dict.fromkeys(record.detail["kind"] for record in own):
        curves = [[value for _, value in record.detail["curve"]] for record in own if record.detail["kind"] == kind]
        points = tuple((epoch, mean(values)) for epoch, values in enumerate(zip(*curves, strict=True)))
        courses.append(Course(KINDS.get(kind, f"Halves of {kind}"), points))
    # A study of an earlier version judged its bases by their curves alone, which is not said again.
    judged = run.verdict.detail.get("plateau") if run.verdict else None
    tried = rate.detail["tried"] if rate else []
    return {
        "figure": figure(
            lambda width: shares_by_epoch(
                courses, name="bases", title="Accuracy of the bases on watched images", width=width
            )
        ),
        "plateau": judged,
        "rate": f"{rate.metrics['rate']:g}" if rate else "",
        "tried": [(f"{one['rate']:g}", wording.share(one["value"])) for one in tried],
    }


def _cell(found: dict[str, Any] | None) -> dict[str, str]:
    if found is None:
        return {"value": wording.MISSING, "ends": "", "tone": ""}
    low, high = found["low"], found["high"]
    apart = low is not None and (low > 0 or high < 0)
    ends = "" if low is None else f"{wording.signed(low)} to {wording.signed(high)}"
    return {"value": wording.signed(found["value"]), "ends": ends, "tone": "strong" if apart else ""}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
