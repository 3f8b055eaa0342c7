#!/usr/bin/env python3
"""What the commands cost, each as a process of its own, on a machine that does nothing else.

    python bench/costs.py           measure what is not recorded yet, and print the table
    python bench/costs.py table     print the table

Seconds are this machine's, which is named beside them; bars: `--help` 0.5 s, `predict` of one image 4 s
(median of five fresh processes, files in the page cache), the demo 8 minutes with its first table
within 30 seconds, a `fit` with three backbones and the default budget 10 minutes, peak memory 3 GB.
"""

from __future__ import annotations

import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDS = HERE / "records/costs.jsonl"
RUNS = HERE / "results/costs"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
HEADSTART = [sys.executable, "-m", "headstart"]
ROUNDS = 5


def help_page() -> dict[str, Any]:
    """`headstart --help`."""
    return {"seconds": _median([*HEADSTART, "--help"]), "bar_s": 0.5}


def predict_one() -> dict[str, Any]:
    """`headstart predict RUN IMAGE`."""
    image = next((CASES / "clipart").glob("*/*"))
    return {"seconds": _median([*HEADSTART, "predict", str(_default_run()), str(image)]), "bar_s": 4.0}


def default_fit() -> dict[str, Any]:
    """`headstart fit` on 1,794 images: three backbones, the default budget, an empty cache."""
    spent = _spent(_default_run())
    return {
        "seconds": spent["total_s"],
        "bar_s": 600.0,
        "budget_s": spent["budget_s"],
        "peak_bytes": spent["peak_bytes"],
    }


def many_images() -> dict[str, Any]:
    """`headstart fit --strategy probe` on 70,000 images: peak memory."""
    run = RUNS / "fashion"
    _fit(
        [
            "fit",
            str(CASES / "fashion"),
            "--out",
            str(run),
            "--strategy",
            "probe",
            "--backbone",
            "*lite0",
            "--size",
            "32",
        ]
    )
    spent = _spent(run)
    return {"seconds": spent["total_s"], "peak_bytes": spent["peak_bytes"]}


def demo() -> dict[str, Any]:
    """`headstart demo` on a terminal, an empty cache: until the first table of probes, and in all."""
    with tempfile.TemporaryDirectory() as cache:
        ours, theirs = pty.openpty()
        started = time.perf_counter()
        process = subprocess.Popen(
            [*HEADSTART, "demo", "--out", str(RUNS / "demo")],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"HEADSTART_CACHE": cache, "TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(theirs)
        first, said = 0.0, b""
        while block := _read(ours):
            said += block
            if not first and b"Every cut of the frozen" in said:
                first = time.perf_counter() - started
        process.wait()
    spent = _spent(RUNS / "demo")
    total = time.perf_counter() - started
    return {"seconds": total, "bar_s": 480.0, "first_answer_s": first, "peak_bytes": spent["peak_bytes"]}


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a terminal was closed
        return b""


def _median(command: list[str]) -> float:
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _default_run() -> Path:
    run = RUNS / "default"
    _fit(["fit", str(CASES / "clipart"), "--out", str(run)])
    return run


def _fit(words: list[str]) -> None:
    """A run that is there already returns at once."""
    if (Path(words[words.index("--out") + 1]) / "report.html").exists():
        return
    with tempfile.TemporaryDirectory() as cache:
        env = os.environ | {"HEADSTART_CACHE": cache}
        subprocess.run([*HEADSTART, *words], check=True, env=env, stdout=subprocess.DEVNULL)


def _spent(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "records.jsonl").read_text().splitlines()[-1])["detail"]
    return found


CELLS: dict[str, Callable[[], dict[str, Any]]] = {
    "help": help_page,
    "default fit": default_fit,
    "predict": predict_one,
    "demo": demo,
    "many images": many_images,
}


def main() -> None:
    """Measure, record, print."""
    from headstart.runs.machine import machine

    RECORDS.parent.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []
    for name, cell in CELLS.items() if sys.argv[1:] != ["table"] else ():
        if not any(row["what"] == name for row in rows):
            rows.append({"what": name, "how": cell.__doc__, **cell(), "machine": machine()})
            with RECORDS.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print("| what | seconds | bar | peak memory | more |\n|---|---|---|---|---|")
    for row in rows:
        memory = f"{row['peak_bytes'] / 1e9:.2f} GB" if "peak_bytes" in row else ""
        more = {k: row[k] for k in ("budget_s", "first_answer_s") if k in row}
        told = ", ".join(f"{k} {v:.1f}" for k, v in more.items())
        print(f"| {row['how']} | {row['seconds']:.2f} | {row.get('bar_s', '')} | {memory} | {told} |")


if __name__ == "__main__":
    main()
