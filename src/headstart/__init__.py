"""headstart: put to work, on your own small data, what networks have already learned."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.bundle import Predictor
    from headstart.runs import study
    from headstart.runs.adapt import adapt
    from headstart.runs.compare import compare
    from headstart.runs.estimator import TransferClassifier
    from headstart.runs.fit import fit
    from headstart.runs.joint import joint
    from headstart.runs.labels import labels
    from headstart.runs.pretrain import pretrain
    from headstart.runs.ranking import rank

    load = Predictor

# OpenVINO reports its use to its maker over the network; nothing leaves a user's machine unasked.
# Where its reporter cannot be imported, OpenVINO goes on without it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = [
    "TransferClassifier",
    "__version__",
    "adapt",
    "compare",
    "fit",
    "joint",
    "labels",
    "load",
    "pretrain",
    "rank",
    "study",
]

try:
    __version__ = metadata.version("headstart")
except metadata.PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"


def __getattr__(name: str) -> Any:
    """Import on first use: `import headstart` costs no torch, and `load` never does."""
    if name == "adapt":
        from headstart.runs.adapt import adapt

        return adapt
    if name == "fit":
        from headstart.runs.fit import fit

        return fit
    if name == "compare":
        from headstart.runs.compare import compare

        return compare
    if name == "joint":
        from headstart.runs.joint import joint

        return joint
    if name == "labels":
        from headstart.runs.labels import labels

        return labels
    if name == "pretrain":
        from headstart.runs.pretrain import pretrain

        return pretrain
    if name == "rank":
        from headstart.runs.ranking import rank

        return rank
    if name == "study":
        from headstart.runs import study

        return study
    if name == "load":
        from headstart.bundle import Predictor

        return Predictor
    if name == "TransferClassifier":
        from headstart.runs.estimator import TransferClassifier

        return TransferClassifier
    raise AttributeError(f"module 'headstart' has no attribute {name!r}")
