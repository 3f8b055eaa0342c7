"""Writing a network without a head: a backbone that other commands take by the name of its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from headstart.backbones import Backbone
from headstart.bundle.check import FORMAT_OF_BACKBONE, config_digest, digest
from headstart.records import writing

WEIGHTS = "model.safetensors"


def save_backbone(folder: Path, backbone: Backbone, *, about: dict[str, Any]) -> dict[str, Any]:
    """Write ``model.safetensors`` and, last, ``config.json``: what ``run:FOLDER`` and ``file:FOLDER`` are read from.

    Parameters
    ----------
    backbone : its classifier is not written where it was cut off.
    about : what else the configuration should say (method, seed, data fingerprint, …).

    Returns
    -------
    ``files`` ({name: {bytes, sha256}}) and ``fingerprint``.
    """
    backbone = backbone.to("cpu").to(memory_format=torch.contiguous_format).eval()
    state = {f"backbone.network.{name}": tensor.contiguous() for name, tensor in backbone.network.state_dict().items()}
    path = folder / WEIGHTS
    with writing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    files = {WEIGHTS: {"bytes": path.stat().st_size, "sha256": digest(path)}}
    preprocessing = backbone.preprocessing
    config = {
        "format": FORMAT_OF_BACKBONE,
        "architecture": backbone.architecture,
        "fingerprint": backbone.fingerprint("top"),
        "cuts": list(backbone.cuts),
        "preprocessing": {
            "size": preprocessing.size,
            "resize": "whole image squashed to a square, bicubic",
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
        },
        **about,
        "files": files,
    }
    with writing(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config | {"sha256": config_digest(config)}, indent=1) + "\n")
    return {"files": files, "fingerprint": config["fingerprint"]}
