"""What a finished run says of itself, from its records alone."""

from __future__ import annotations

from pathlib import Path

from headstart.records import Journal, Record
from headstart.runs.run import Run

PARTS = [
    {"cut": "stem", "parameters": 9, "training": 0, "buffers": 2, "moving": 0},
    {"cut": "head", "parameters": 6, "training": 6, "buffers": 0, "moving": 0},
]


def candidate(strategy: str, title: str = "") -> Record:
    detail = {"title": title, "parts": PARTS, "blocks": [], "note": ""}
    return Record(f"candidate/{strategy}", "candidate", backbone="random/test_vit", strategy=strategy, detail=detail)


def test_a_run_explains_its_candidates_in_order_and_marks_what_is_handed_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "records.jsonl")
    journal.append(Record("plan", "plan", detail={}))
    journal.append(candidate("all", "fine-tuning everything"))
    journal.append(candidate("last_block"))
    journal.append(Record("verdict", "verdict", detail={"chosen": "last_block"}))
    told = Run(tmp_path).explain()
    states = ["frozen", "trains"]
    parts = [part | {"state": state} for part, state in zip(PARTS, states, strict=True)]
    both = {"backbone": "random/test_vit", "parts": parts, "blocks": [], "note": ""}
    assert told == [
        {"strategy": "all", "title": "fine-tuning everything", "chosen": False, **both},
        {"strategy": "last_block", "title": "last_block", "chosen": True, **both},
    ]
