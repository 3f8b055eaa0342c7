"""What importing headstart does, and does not."""

from __future__ import annotations

import subprocess
import sys

SAID = """
import sys
import headstart
assert not {"torch", "timm", "numpy", "openvino"} & set(sys.modules)
import openvino
from openvino.tools import ovc
assert sys.modules["openvino_telemetry"] is None
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
"""


def test_an_import_costs_nothing_and_nothing_is_reported_to_anybody() -> None:
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
