"""What the networks of the laboratory say, from their records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import Any

from headstart.advice.transferability import Plateau, judge_plateau, judge_transferability, sentence
from headstart.evidence.learning_curves import Forecast
from headstart.evidence.transplants import PAIRS, Transplant, average, decompose, differences, late_gain, minus, slope
from headstart.records import Journal, Record
from headstart.report import wording
from headstart.report.transferability import transplants
from headstart.runs.study.transplanting import KINDS

NEAR = "random"
AVERAGED = ("retrained", "gain", "beyond")
CONTRASTED = ("loss", "gain", "over_random")
"""Parts of the drop that are held against each other with few labels and with all."""
RANGES = (1, 3, 5)
"""The first n of the ranges that the paper averages over; the last n is that of the network."""
PLATEAUS = {
    "plateau": "The bases had come to a plateau",
    "more training helps": "More training still helps the bases, so that AnB+ is judged against BnB+",
    "still learning": "The bases were still learning, so that everything here may differ with more time",
    "not known": "Whether the bases had come to a plateau is not known",
}
"""By the word of a `Plateau`, what is said."""


def findings_record(journal: Journal, *, seed: int) -> Record:
    """Findings, and the drop at every n taken apart, by kind of split and number of labels; the record ``verdict``."""
    distances = _distances(journal)
    near = NEAR if NEAR in distances else min(distances, key=lambda kind: distances[kind])
    meant = [kind for kind in distances if kind == "dissimilar" or kind not in KINDS]
    far = max((kind for kind in meant if distances[kind] > distances[near]), key=distances.__getitem__, default="")
    cells = {kind: transplants(journal, kind, labels=0) for kind in distances}
    found = judge_transferability(cells[near], cells[far] if far else ())
    labels = sorted({record.detail["labels"] for record in journal.of("cell")})
    plateau = judge_plateau(_late(journal), list(cells.values()))
    parts = {kind: {str(k): _parts(transplants(journal, kind, labels=k)) for k in labels} for kind in distances}
    detail = {
        "sentence": sentence(found),
        "reasons": [
            *(_reason(one.says, one.measure, one.value, one.low, one.high, one.word) for one in found),
            _learned(plateau),
        ],
        "findings": [asdict(one) for one in found],
        "plateau": asdict(plateau) | {"says": _learned(plateau)},
        "near": near,
        "far": far,
        "distances": distances,
        "parts": parts,
        "by_distance": _by_distance(journal, cells),
        "by_labels": _by_labels(journal, list(distances), labels),
    }
    return Record("verdict", "verdict", part="test", seed=seed, detail=detail)


def _distances(journal: Journal) -> dict[str, float]:
    """By kind of split, how far apart its halves are, mean over seeds."""
    records = journal.of("halves")
    kinds = dict.fromkeys(record.strategy for record in records)
    return {kind: mean(r.metrics["distance"] for r in records if r.strategy == kind) for kind in kinds}


def _late(journal: Journal) -> float:
    """What the bases gained over the last quarter of their epochs, mean over all with all labels."""
    bases = [record for record in journal.of("cell") if not record.detail["n"] and not record.detail["labels"]]
    return mean(late_gain([value for _, value in record.detail["curve"]]) for record in bases)


def _parts(cells: Sequence[Transplant]) -> dict[str, Any]:
    """The drop at every n, and averages over ranges of n."""
    drops = [asdict(drop) for drop in decompose(cells)]
    last = max((cell.n for cell in cells), default=0)
    averages = {
        name: {
            f"{first}–{last}": _told(average(differences(cells, *PAIRS[name]), first=first))
            for first in RANGES
            if first < last
        }
        for name in AVERAGED
    }
    return {"drops": drops, "averages": averages}


def _by_distance(journal: Journal, cells: Mapping[str, Sequence[Transplant]]) -> dict[str, Any] | None:
    """What frozen layers of the other half lose at the last n, by the distance of the halves; None of one distance.

    One pair of halves is one point, however many seeds share it: they say how well its loss is known, and nothing of
    other pairs at that distance.
    """
    last = max((cell.n for own in cells.values() for cell in own), default=0)
    found = []
    for halves in journal.of("halves"):
        own = [cell for cell in cells[halves.strategy] if cell.seed == halves.seed]
        for lost in differences(own, "AnB").get(last, ()):
            pair = frozenset(tuple(halves.detail[letter]) for letter in "AB")
            found.append((halves.metrics["distance"], -float(lost), pair))
    if not found:
        return None
    x, y, pairs = zip(*found, strict=True)
    rising = slope(x, y, groups=pairs)
    measure = f"base − AnB at n = {last}, by 1 of distance"
    return None if rising is None else {"measure": measure, "n": last, "pairs": len(set(pairs))} | asdict(rising)


def _by_labels(journal: Journal, kinds: Sequence[str], labels: Sequence[int]) -> dict[str, Any]:
    """By kind and number of labels: the parts of the drop with so many minus the same with all, mean over n."""
    return {
        kind: {str(k): _fewer(transplants(journal, kind, labels=k), transplants(journal, kind)) for k in labels if k}
        for kind in kinds
        if len(labels) > 1
    }


def _fewer(few: Sequence[Transplant], every: Sequence[Transplant]) -> dict[str, Any]:
    contrasts = {name: minus(differences(few, *PAIRS[name]), differences(every, *PAIRS[name])) for name in CONTRASTED}
    return {name: _told(average(by_n, first=1)) for name, by_n in contrasts.items()}


def _told(found: Forecast | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _learned(plateau: Plateau) -> str:
    late = f"{wording.points(plateau.late)} over the last quarter of their epochs"
    if plateau.value is None:
        return f"{PLATEAUS[plateau.word]}: {late}."
    more = wording.points(plateau.value, plateau.low, plateau.high)
    return f"{PLATEAUS[plateau.word]}: {late}, and {more} in as many steps again (BnB+ − base, mean over n)."


def _reason(says: str, measure: str, value: float, low: float | None, high: float | None, word: str) -> str:
    ends = "" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"{says} {word.capitalize()}: {100 * value:+.1f} points{ends} ({measure})."
