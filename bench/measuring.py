"""What the measurements of the engine share: interleaved pairs, fresh caches, and records by cell."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/engine.toml").read_text())
RECORDS = HERE / "records/engine.jsonl"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
CPU = torch.device("cpu")
Row = dict[str, Any]


def quiet(*_: object) -> None:
    """Report nothing."""


@contextmanager
def fresh_cache(engines: Path | None = None) -> Iterator[Path]:
    """An empty cache, but for compiled networks."""
    with tempfile.TemporaryDirectory() as folder:
        if engines is not None and engines.is_dir():
            shutil.copytree(engines, Path(folder) / "engines")
        yield Path(folder)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def pairs(ours: Callable[[], float], peer: Callable[[], float], *, rounds: int, warm: bool = True) -> Row:
    """Seconds of both, in turn, after a round that does not count; and the ratios peer / ours."""
    if warm:
        ours(), peer()
    return summary([(ours(), peer()) for _ in range(rounds)])


def summary(times: list[tuple[float, float]]) -> Row:
    """Medians of pairs (ours, peer), and the least, the median and the most of peer / ours."""
    ratios = sorted(theirs / own for own, theirs in times)
    return {
        "ours_s": statistics.median(own for own, _ in times),
        "peer_s": statistics.median(theirs for _, theirs in times),
        "ratio": [ratios[0], statistics.median(ratios), ratios[-1]],
    }


def surveyed(case: str, size: int, cache: Path) -> Any:
    """Images of a case, read."""
    from headstart.data import survey
    from headstart.problem import read_labelled

    return survey(read_labelled(CASES / case).x, size, cache=cache)


def recorded() -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def done(**wanted: object) -> bool:
    """Whether a cell is recorded."""
    return any(all(row.get(k) == v for k, v in wanted.items()) for row in recorded())


def note(row: Row) -> None:
    """One cell, one line."""
    from headstart.runs.machine import machine

    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row | {"machine": machine()}) + "\n")
        file.flush()
