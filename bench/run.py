#!/usr/bin/env python3
"""All benchmarks, and their tables in bench/RESULTS.md.

python bench/run.py            run every cell that is not recorded yet, then fill in the tables
python bench/run.py tables     fill in the tables from bench/records/

A table stands in RESULTS.md between the lines `<!-- begin: SCRIPT ARGUMENTS -->` and `<!-- end -->`; what stands
between them is what that command prints. The words around the tables are written by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
JOBS = (
    "cases.py clipart emoji-google digits-uci fashion",
    "main_job.py fit",
    "main_job.py by-hand",
    "main_job.py frozen",
    "costs.py",
    "engine.py",
    "suffix.py",
    "trials.py",
    "heads.py",
    "brute.py",
    "peers.py",
    "ways.py",
    "adapt.py",
    "adapt.py trained",
    "adapt.py auto",
    "adapt.py fresh",
    "labels.py",
    "labels.py trained",
    "study.py",
    "advice.py",
    "advice.py wide",
    "verdicts.py shuffled",
    "verdicts.py fit",
    "misled.py",
    "card.py",
    "surrogates.py",
    "orderings.py",
    "glyphs.py",
    "transferability.py",
    "pretraining.py",
    "safety.py kills",
    "safety.py flips",
)
BLOCK = re.compile(r"(<!-- begin: (?P<command>[^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def command(line: str) -> list[str]:
    """A script of this folder with its arguments."""
    script, *arguments = line.split()
    return [sys.executable, str(HERE / script), *arguments]


def printed(match: re.Match[str]) -> str:
    """A block with what its command prints now."""
    ran = subprocess.run(command(match["command"]), check=True, stdout=subprocess.PIPE, text=True)
    return f"{match[1]}\n{ran.stdout.strip()}\n\n{match[3]}"


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["tables"]):
        sys.exit(__doc__)
    for job in JOBS if not sys.argv[1:] else ():
        subprocess.run(command(job), check=True)
    filled = BLOCK.sub(printed, RESULTS.read_text())
    RESULTS.write_text(filled)
    print(filled)
