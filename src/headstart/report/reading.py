"""The records of a run, sorted by what the report asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from headstart.errors import RunError
from headstart.records import Journal, Record


@dataclass(frozen=True)
class Run:
    """A run as its records tell it; whatever is not measured yet is None or empty.

    Attributes
    ----------
    sources, source_parts : a record for each earlier run; by key, what was measured for its problem card.
    """

    folder: Path
    plan: Record | None = None
    data: Record | None = None
    rungs: tuple[Record, ...] = ()
    probes: tuple[Record, ...] = ()
    probed: tuple[Record, ...] = ()
    candidates: tuple[Record, ...] = ()
    verdict: Record | None = None
    final: Record | None = None
    test: Record | None = None
    retained: Record | None = None
    sources: tuple[Record, ...] = ()
    source_parts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    bundle: Record | None = None
    spent: Record | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the user asked, resolved."""
        return dict(self.plan.detail.get("options") or {}) if self.plan else {}

    @property
    def earlier(self) -> list[str]:
        """Folders of the earlier runs that it was told to start from."""
        return list(self.plan.detail.get("sources") or []) if self.plan else []

    @property
    def metric(self) -> str:
        """The metric that every `value` of this run holds."""
        return str(self.options.get("metric") or "accuracy")

    @property
    def folds(self) -> int | None:
        """The number of folds that the candidates were compared over, or None for one validation part."""
        return self.plan.detail.get("folds") if self.plan else None

    @property
    def repeats(self) -> int:
        """How often the folds were drawn."""
        return int(self.plan.detail.get("repeats") or 1) if self.plan else 1

    @property
    def chosen(self) -> str:
        """The strategy that the verdict chose; of a lone candidate, that one."""
        if self.verdict is not None:
            return str(self.verdict.detail.get("chosen") or "")
        return self.final.strategy if self.final else ""

    @property
    def missing(self) -> list[str]:
        """What a finished run has and this one does not. A lone candidate needs no verdict."""
        needed: dict[str, Record | None] = {"the plan": self.plan, "the data": self.data}
        if len(self.candidates) != 1:
            needed["the verdict"] = self.verdict
        needed |= {"the final model": self.final, "the test": self.test, "what was spent": self.spent}
        return [name for name, record in needed.items() if record is None]

    def title(self, strategy: str) -> str:
        """The title that a candidate's record gives its strategy; empty where it has none."""
        titles = {r.strategy: str(r.detail.get("title") or "") for r in self.candidates}
        return titles.get(strategy, "")


def kind_of(folder: Path) -> str:
    """Which command's records a folder holds, as its plan says: ``plan`` of a `fit`; empty where there is no plan."""
    plan = Journal(folder / "records.jsonl").get("plan")
    return plan.what if plan is not None else ""


def read(folder: Path) -> Run:
    """Read the records of the run in `folder`.

    Raises
    ------
    RunError : the folder holds no records, or a line of them is not a record.
    """
    path = Path(folder) / "records.jsonl"
    if not path.is_file():
        raise RunError(f"{folder} holds no records.jsonl.", "Name the folder that `headstart fit` wrote.")
    journal = Journal(path)
    single = {what: found[-1] if (found := journal.of(what)) else None for what in _SINGLE}
    return Run(
        folder=Path(folder),
        rungs=tuple(journal.of("rung")),
        probes=tuple(journal.of("probe")),
        probed=tuple(journal.of("probed")),
        candidates=tuple(journal.of("candidate")),
        sources=tuple(journal.of("source")),
        source_parts={record.key: record.detail for record in journal if record.key.startswith("source/")},
        **single,
    )


_SINGLE = ("plan", "data", "verdict", "final", "test", "retained", "bundle", "spent")


class Paired(NamedTuple):
    """A difference of two candidates on the same images, with its interval."""

    difference: float | None
    low: float | None
    high: float | None


def difference(verdict: Record | None, strategy: str, reference: str) -> Paired | None:
    """`strategy` minus `reference`, paired, whichever way round the verdict compared them."""
    for found in (verdict.detail.get("comparisons") or []) if verdict else []:
        value, low, high = (found.get(name) for name in ("difference", "low", "high"))
        if (found.get("a"), found.get("b")) == (strategy, reference):
            return Paired(value, low, high)
        if (found.get("a"), found.get("b")) == (reference, strategy):
            return Paired(_minus(value), _minus(high), _minus(low))
    return None


def untried(verdict: Record) -> bool:
    """Whether what transfer brings was compared with random features alone."""
    compared = {name for found in verdict.detail.get("comparisons") or [] for name in (found.get("a"), found.get("b"))}
    return "frozen_random" in compared and "scratch" not in compared


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def total(record: Record, name: str) -> Any:
    """A total of the `spent` record, which may stand under its detail, its cost or its metrics."""
    return next((d[name] for d in (record.detail, record.cost, record.metrics) if name in d), None)


def block_of(record: Record) -> str:
    """The one block of the network that trained, where there is one; replicates may have chosen several."""
    return " or ".join(dict.fromkeys(found["block"] for found in record.detail.get("blocks", ())))
