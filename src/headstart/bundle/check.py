"""Is this folder a whole bundle? Sizes and hashes of its files against what was written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headstart.errors import BundleError

FORMAT = "headstart-bundle/1"
FORMAT_OF_TASKS = "headstart-bundle/2"
"""Of a bundle of several tasks, whose probabilities stand side by side."""
FORMAT_OF_BACKBONE = "headstart-backbone/1"
"""Of a network without a head, which names nothing."""
REPAIR = "Copy the folder again from where it was made, or repeat the run."


def read_config(folder: Path) -> dict[str, Any]:
    """The bundle's ``config.json``.

    Raises
    ------
    BundleError : the folder is no bundle, or its configuration was cut off.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise BundleError(f"There is no folder {folder}.", "Name the folder that `headstart fit --out` wrote.")
    if not path.exists():
        hint = "Repeat `headstart fit` with the same --out: it goes on where it was."
        unfinished = (folder / "records.jsonl").exists()
        remedy = hint if unfinished else "Name the folder that `headstart fit --out` wrote."
        raise BundleError(
            f"{folder} holds no {'finished ' if unfinished else ''}model: config.json is missing.", remedy
        )
    try:
        config: dict[str, Any] = json.loads(path.read_text())
        if config["format"] == FORMAT_OF_BACKBONE:
            remedy = f"Fit a head to it: headstart fit DIR --out RUN --backbone run:{folder}"
            raise BundleError(f"{folder} holds a pretrained backbone, which names no classes.", remedy)
        if config["format"] not in (FORMAT, FORMAT_OF_TASKS):
            known = f"{FORMAT} and {FORMAT_OF_TASKS}"
            raise BundleError(f"{path} is of the format {config['format']}.", f"This version reads {known}.")
        _ = config["files"], config["classes"], config["preprocessing"]
        if config["sha256"] != config_digest(config):
            raise BundleError(f"{path} was altered after the run.", REPAIR)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged.", REPAIR) from error
    return config


def verify(folder: Path, config: dict[str, Any], names: Iterable[str]) -> None:
    """Compare size and hash of the named files with the configuration.

    Raises
    ------
    BundleError : names the first file that is missing, cut off or altered.
    """
    for name in names:
        path = folder / name
        expected = config["files"].get(name)
        if expected is None or not path.is_file():
            raise BundleError(f"{path} is missing.", REPAIR)
        if path.stat().st_size != expected["bytes"]:
            raise BundleError(f"{path} has {path.stat().st_size} bytes instead of {expected['bytes']}.", REPAIR)
        if digest(path) != expected["sha256"]:
            raise BundleError(f"{path} was altered after the run.", REPAIR)


def config_digest(config: dict[str, Any]) -> str:
    """SHA-256 of everything in a configuration but the hash itself."""
    rest = {name: value for name, value in config.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
