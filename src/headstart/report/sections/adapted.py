"""The sections of an adaptation's page: verdict, methods, domains, predicted images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.evidence.distance import MOST
from headstart.evidence.label_free import VALIDATORS
from headstart.records import Record
from headstart.report import again, wording
from headstart.report.charts.clouds import clouds
from headstart.report.pictures import data_uri
from headstart.report.sections.figure import figure

PARTS = {
    "train": "source, learned from",
    "held": "source, held",
    "adapted": "target, adapted on",
    "judged": "target, judged on",
    "few": "of the target, labelled",
}
"""The parts of both domains in words."""
NAMED = 5
"""Classes of the target alone that a note names, at most."""
KINDS = {"helps": "Adapting helps", "neutral": "Neutral", "hurts": "Adapting hurts", "cannot_tell": "Cannot tell"}


@dataclass(frozen=True)
class Told:
    """An adaptation as its records tell it; what is not measured yet is None or empty."""

    folder: Path
    plan: Record | None
    domains: Record | None
    start: Record | None
    methods: tuple[Record, ...]
    verdict: Record | None
    oracle: Mapping[str, Record]
    examples: Record | None
    bundle: Record | None
    spent: Record | None
    final: Record | None
    oracle_final: Record | None
    left_out: Record | None

    @property
    def chosen(self) -> str:
        """The method that is handed back."""
        return self.verdict.strategy if self.verdict else ""

    @property
    def options(self) -> dict[str, Any]:
        """What was asked, resolved."""
        return dict(self.plan.detail["options"]) if self.plan else {}

    @property
    def metric(self) -> str:
        """The metric of every value."""
        return str(self.options.get("metric") or "accuracy")

    def method(self, name: str) -> Record | None:
        """The record of a method."""
        return next((record for record in self.methods if record.strategy == name), None)


def verdict(told: Told) -> dict[str, Any]:
    """The first screen."""
    detail = told.verdict.detail if told.verdict else {}
    headline, stop, advice = str(detail.get("sentence") or "There is no verdict yet.").partition(": ")
    return {
        "headline": headline + ("." if stop else ""),
        "advice": advice[:1].upper() + advice[1:],
        "kind": KINDS.get(str(detail.get("transfer")), ""),
        "reasons": list(detail.get("reasons") or []),
        "strip": [cell for cell in (_gain(told), _model(told), _judged(told), _time(told)) if cell],
        "transfer": None,
        "missing": [] if told.spent else ["the end of the run"],
    }


def _gain(told: Told) -> dict[str, Any] | None:
    if told.verdict is None or told.chosen == "source_only":
        return None
    metrics = told.verdict.metrics
    low, high = metrics["low"], metrics["high"]
    ends = "no interval" if low is None else f"{wording.signed(low)} to {wording.signed(high)}"
    where = "on labelled target images" if told.verdict.part == "few" else "expected from built cases"
    return {
        "name": "Gain over the source’s head, points",
        "value": wording.signed(metrics["gain"]),
        "notes": [ends, where],
    }


def _model(told: Told) -> dict[str, Any] | None:
    chosen = told.method(told.chosen)
    if chosen is None:
        return None
    notes = [wording.place(chosen.backbone, chosen.cut), f"{wording.share(chosen.metrics['kept'])} right on the source"]
    title = str(chosen.detail["title"])
    return {"name": "Handed back", "value": title[:1].upper() + title[1:], "notes": notes}


def _judged(told: Told) -> dict[str, Any] | None:
    found = told.oracle_final
    if found is None:
        return None
    n = wording.plural(found.metrics["n"], "judged image")
    return {
        "name": f"Oracle: {wording.metric(told.metric)} on the target",
        "value": wording.share(found.metrics["value"]),
        "notes": [f"95 % interval {wording.interval(found.metrics['low'], found.metrics['high'])}", f"{n}, read last"],
        "range": (found.metrics["value"], found.metrics["low"], found.metrics["high"]),
    }


def _time(told: Told) -> dict[str, Any] | None:
    if told.spent is None:
        return None
    peak = told.spent.detail["peak_bytes"]
    spent = wording.seconds(told.spent.detail["total_s"])
    return {"name": "Time spent", "value": spent, "notes": [f"at most {wording.size(peak)} of memory"]}


def methods(told: Told) -> dict[str, Any] | None:
    """Every method with what each validator says of it."""
    if not told.methods:
        return None
    preferred = told.verdict.detail["votes"] if told.verdict else {}
    first, chosen = told.methods[0], told.method(told.chosen)
    parts = told.domains.detail["parts"] if told.domains else {}
    return {
        "backbone": first.backbone,
        "cut": wording.cuts(first.cut),
        "validators": [one.title for one in VALIDATORS.values()],
        "few": wording.count(parts["few"]) if parts.get("few") else "",
        "judged": wording.count(parts.get("judged")),
        "oracle": bool(told.oracle),
        "left_out": left_out(told.left_out) if told.left_out else "",
        "metric": wording.metric(told.metric),
        "trained": any("training" in record.detail for record in told.methods),
        "handed_trained": chosen is not None and "training" in chosen.detail,
        "rows": [_row(told, record, preferred.get(record.strategy, [])) for record in told.methods],
        "agreement": wording.share(told.final.metrics["agreement"]) if told.final else "",
        "rests": [f"{_first(one.title)} ({one.paper}) assumes: {one.rests_on}." for one in VALIDATORS.values()],
    }


def _row(told: Told, record: Record, preferred: list[str]) -> dict[str, Any]:
    oracle = told.oracle.get(record.strategy)
    metrics = oracle.metrics if oracle else {}
    gain = wording.points(metrics.get("gain"), metrics.get("gain_low"), metrics.get("gain_high"), unit="")
    return {
        "title": _first(str(record.detail["title"])),
        "kind": f"{record.detail['kind']}: {record.detail['paper']}" if record.detail["paper"] else "",
        "trained": "training" in record.detail,
        "chosen": record.strategy == told.chosen,
        "baseline": record.detail["baseline"] and record.strategy != told.chosen,
        "scores": [
            {"value": f"{record.metrics[name]:.3f}".replace("-", "−"), "preferred": name in preferred}
            for name in VALIDATORS
        ],
        "votes": f"{len(preferred)} of {len(VALIDATORS)}" if record.strategy != "source_only" else wording.MISSING,
        "few": wording.share(record.detail["few"].get("value")),
        "distance": wording.decimal(record.metrics["distance"]),
        "kept": wording.share(record.metrics["kept"]),
        "seconds": wording.seconds(record.cost["seconds"]),
        "oracle": wording.share(metrics.get("value")),
        "gain": wording.MISSING if record.strategy == "source_only" else gain,
    }


def left_out(record: Record) -> str:
    """How many judged images show classes that the source does not have, and which."""
    n, judged, counts = record.metrics["n"], record.metrics["judged"], record.detail["counts"]
    named = ", ".join(f"{name} {wording.count(found)}" for name, found in list(counts.items())[:NAMED])
    more = f" and {len(counts) - NAMED} more classes" if len(counts) > NAMED else ""
    what = f"show classes that the source does not have ({named}{more})"
    if n == judged:
        return f"All {wording.count(n)} judged images {what}: their labels can measure nothing."
    return f"{wording.count(n)} of the {wording.plural(judged, 'judged image')} {what}: the oracle leaves them out."


def domains(told: Told) -> dict[str, Any] | None:
    """Images of both, how many there are, and where they lie."""
    if told.domains is None:
        return None
    parts, found = told.domains.detail["parts"], told.examples.detail if told.examples else {}
    pictured = {
        side: [
            {"uri": uri, "said": str(one.get("class") or "")}
            for one in found.get(side, [])
            if (uri := data_uri(told.folder, one["picture"]))
        ]
        for side in ("source", "target")
    }
    planes = [(_first(_title(told, name)), one["source"], one["target"]) for name, one in found.get("map", {}).items()]
    title = "Where source and target images lie"
    return {
        "cells": [{"name": words, "value": wording.count(parts[name])} for name, words in PARTS.items() if parts[name]],
        "source": pictured["source"],
        "target": pictured["target"],
        "figure": figure(lambda width: clouds(planes, name="clouds", title=title, width=width)) if planes else "",
        "distances": _distances(told),
        "notes": list(told.domains.detail["notes"]),
    }


def _distances(told: Told) -> dict[str, Any] | None:
    """How far apart the domains are at each cut: before anything is adapted, and after each training."""
    before = told.start.detail.get("distances") if told.start else None
    if not before:
        return None
    after = [record for record in told.methods if record.detail.get("distances")]
    found = [before, *(record.detail["distances"] for record in after)]
    return {
        "methods": [record.strategy for record in after],
        "most": MOST,
        "rows": [{"cut": cut, "values": [wording.decimal(one.get(cut)) for one in found]} for cut in before],
    }


def predicted(told: Told) -> dict[str, Any] | None:
    """Images of the judged part, and what the model says of them."""
    found = told.examples.detail["predicted"] if told.examples else []
    if not found:
        return None
    cards = [
        {
            "path": str(one["path"]),
            "predicted": str(one["predicted"]),
            "before": str(one["before"]),
            "probability": wording.share(one["probability"]),
            "uri": data_uri(told.folder, one["picture"]),
        }
        for one in found
    ]
    changed = any(card["before"] != card["predicted"] for card in cards)
    lead = "Judged images, first those that the source’s head names differently, the surest first."
    return {
        "cards": cards,
        "lost": sum(card["uri"] is None for card in cards),
        "lead": lead if changed else "Judged images, the surest first.",
    }


def repeat(told: Told) -> dict[str, Any]:
    """The command, and what the same bits depend on."""
    found = told.plan.detail.get("machine") or {} if told.plan else {}
    facts = [
        ("Seed", str(told.options.get("seed", 0))),
        ("Data fingerprint", told.domains.data if told.domains else wording.MISSING),
        ("Processor", str(found.get("processor") or wording.MISSING)),
        ("Python", str(found.get("python") or wording.MISSING)),
    ]
    files = (told.bundle.detail.get("files") or {}) if told.bundle else {}
    parity = told.bundle.detail.get("parity") if told.bundle else None
    return {
        "command": again.adapt(told.options),
        "facts": facts,
        "versions": sorted((str(name), str(version)) for name, version in (found.get("versions") or {}).items()),
        "files": [
            {"name": str(name), "size": wording.size(one.get("bytes")), "sha256": str(one.get("sha256") or "")}
            for name, one in sorted(files.items())
        ],
        "parity": "" if parity is None else f"{parity:.1e}",
    }


def name_of(told: Told) -> str:
    """Both domains, for the page's title."""
    if told.domains is None:
        return told.folder.name
    ends = [
        str(told.domains.detail[side]).replace("\\", "/").rstrip("/").rpartition("/")[2]
        for side in ("source", "target")
    ]
    return f"{ends[0]} → {ends[1]}"


def _title(told: Told, name: str) -> str:
    record = told.method(name)
    return str(record.detail["title"]) if record else name


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
