"""What one unit of work keeps for a later one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.errors import RunError
from headstart.runs.context import keep_predictions, kept_predictions


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "work" / "predictions.safetensors"
    shares = np.array([[0.25, 0.75], [1, 0]])
    keep_predictions(path, np.array([4, 2]), shares)
    indices, probabilities = kept_predictions(path)
    assert indices.tolist() == [4, 2]
    np.testing.assert_array_equal(probabilities, shares.astype("f4"))


def test_damaged_predictions_stop_a_run_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "predictions.safetensors"
    keep_predictions(path, np.array([4, 2]), np.array([[0.25, 0.75], [1, 0]]))
    blob = bytearray(path.read_bytes())
    blob[-1] ^= 1
    path.write_bytes(blob)
    with pytest.raises(RunError, match="damaged") as raised:
        kept_predictions(path)
    assert str(path) in raised.value.fact and raised.value.remedy
    path.unlink()
    with pytest.raises(RunError, match="missing"):
        kept_predictions(path)
