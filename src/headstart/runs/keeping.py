"""Units of work that are measured once: what a record holds is read back instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast

from headstart.records import Journal, Record
from headstart.records.typed import restored

_T = TypeVar("_T")


@dataclass(frozen=True)
class Keeper:
    """Measures, and keeps what it measured where there is a folder to keep it in.

    Attributes
    ----------
    journal : of the run's folder; None keeps nothing.
    data : fingerprint of what is measured.
    backbone, seed : for the records.
    progress : told (stage, done, total).
    prefix : of every key, where the journal holds other records, too.
    on_record : told every record that is kept.
    """

    journal: Journal | None
    data: str
    backbone: str
    seed: int
    progress: Callable[[str, int, int], None]
    prefix: str = ""
    on_record: Callable[[Record], None] = lambda record: None

    def measured(
        self, key: str, kind: type[_T], measure: Callable[[], _T | None], *, oracle: bool = False
    ) -> _T | None:
        """The result under `key`, behind the prefix, a dataclass; None where there was nothing to measure.

        Parameters
        ----------
        oracle : whether target labels are read.
        """
        whole = self.prefix + key
        record = self.journal.get(whole) if self.journal else None
        if record is not None:
            return restored(kind, record.detail) if record.detail else None
        self.progress(f"measuring: {key}", 0, 1)
        started, found = time.perf_counter(), measure()
        if self.journal is not None:
            detail: dict[str, Any] = asdict(cast(Any, found)) if found is not None else {}
            record = Record(
                whole,
                whole,
                data=self.data,
                backbone=self.backbone,
                seed=self.seed,
                cost={"seconds": time.perf_counter() - started},
                detail=detail,
                reads_target_labels=oracle,
            )
            self.journal.append(record)
            self.on_record(record)
        self.progress(f"measuring: {key}", 1, 1)
        return found
