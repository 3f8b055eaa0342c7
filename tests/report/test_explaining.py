"""What trained is told of runs that say it; of every other kind, why it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report import explain
from headstart.report.explaining import UNEXPLAINED
from headstart.report.page import DRAWN


def test_every_kind_of_run_is_explained_or_said_why_not() -> None:
    assert {*DRAWN, "comparison", "ranking"} - {"joint"} == UNEXPLAINED.keys()


@pytest.mark.parametrize("kind", sorted(UNEXPLAINED))
def test_why_there_is_no_table(kind: str, tmp_path: Path) -> None:
    Journal(tmp_path / "records.jsonl").append(Record("plan", kind, detail={}))
    with pytest.raises(RunError, match=r" holds (an?|learning) ") as caught:
        explain(tmp_path)
    assert "records.jsonl" in caught.value.remedy
