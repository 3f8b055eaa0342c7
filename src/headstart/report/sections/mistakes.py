"""The worst mistakes on the test part, with what the model had seen that lies nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.report import wording
from headstart.report.pictures import data_uri
from headstart.report.reading import Run


def section(run: Run) -> dict[str, Any] | None:
    """The mistakes that the test record holds, each with its picture where the run still has it."""
    mistakes = (run.test.detail.get("mistakes") or []) if run.test else []
    if not mistakes:
        return None
    cards = [_card(run.folder, mistake) for mistake in mistakes]
    lost = sum(card["uri"] is None for card in cards)
    return {"cards": cards, "lost": lost, "neighbours": any(card["neighbours"] for card in cards)}


def _card(run: Path, mistake: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": str(mistake.get("path") or ""),
        "truth": str(mistake.get("truth")),
        "predicted": str(mistake.get("predicted")),
        "probability": wording.share(mistake.get("probability")),
        "uri": data_uri(run, mistake.get("picture")),
        "neighbours": [
            {
                "path": str(neighbour.get("path") or ""),
                "class": str(neighbour.get("class")),
                "agrees": neighbour.get("class") == mistake.get("truth"),
                "uri": data_uri(run, neighbour.get("picture")),
            }
            for neighbour in mistake.get("neighbours") or []
        ],
    }
