#!/usr/bin/env python3
"""All benchmarks: `python bench/run.py`. Cells that are recorded are not run again; tables go to stdout.

`bench/RESULTS.md` holds the tables with the commands that made them, and what they mean.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

for arguments in (
    ["cases.py", "clipart", "emoji-google", "digits-uci", "fashion"],
    ["main_job.py", "fit"],
    ["main_job.py", "by-hand"],
    ["main_job.py", "frozen"],
    ["main_job.py", "table"],
    ["costs.py"],
):
    subprocess.run([sys.executable, str(HERE / arguments[0]), *arguments[1:]], check=True)
