"""Writing a fitted model as a directory, and making the torch module of it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from headstart.backbones import Transferred, load
from headstart.backbones.conversion import network_graph, with_head
from headstart.backbones.graphs import compile_graph
from headstart.bundle.check import FORMAT, FORMAT_OF_TASKS, config_digest, digest, read_config, verify
from headstart.errors import InternalError
from headstart.records import writing
from headstart.shallow import head_module

PARITY = 1e-3
"""Largest difference in probability between torch and the exported graph at which a bundle is written."""


class Probabilities(nn.Module):
    """softmax of a head's logits, of several tasks that of each: what the exported graph gives.

    Parameters
    ----------
    sizes : classes of each task, whose logits stand side by side; empty of one task.
    """

    def __init__(self, head: nn.Module, sizes: Sequence[int] = ()) -> None:
        super().__init__()
        self.head = head
        self.sizes = list(sizes)

    def forward(self, z: Tensor) -> Tensor:
        """(n, d) features → (n, k)."""
        if not self.sizes:
            return torch.softmax(self.head(z), 1)
        return torch.cat([torch.softmax(own, 1) for own in self.head(z).split(self.sizes, 1)], 1)


def save(
    folder: Path,
    model: Transferred,
    *,
    classes: Sequence[str],
    sample: np.ndarray,
    about: dict[str, Any],
    tasks: Sequence[tuple[str, Sequence[str]]] = (),
) -> dict[str, Any]:
    """Write ``model.safetensors``, ``graph.xml``, ``graph.bin`` and, last, ``config.json``.

    Parameters
    ----------
    sample : uint8 (n, size, size, 3) images on which the graph is compared with torch.
    about : what else the configuration should say (strategy, seed, data fingerprint, …).
    tasks : name and classes of each, where the model's logits are those of several tasks side by side; `classes` are
        then not looked at.

    Returns
    -------
    ``files`` ({name: {bytes, sha256}}) and ``parity``.

    Raises
    ------
    InternalError : the exported graph does not give torch's probabilities.
    """
    model = model.to("cpu").to(memory_format=torch.contiguous_format).eval()
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with writing(folder / "model.safetensors") as temporary:
        # One entry only: safetensors writes several in an order of its own each time, and the bytes would differ.
        save_file(state, temporary, metadata={"format": "pt"})
    shares = Probabilities(model.head, [len(labels) for _, labels in tasks])
    parity = _save_graph(folder, model, shares, sample)
    names = ("model.safetensors", "graph.xml", "graph.bin")
    files = {n: {"bytes": (folder / n).stat().st_size, "sha256": digest(folder / n)} for n in names}
    config = _config(model, classes) | (_told(tasks) if tasks else {}) | about | {"files": files}
    with writing(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config | {"sha256": config_digest(config)}, indent=1) + "\n")
    return {"files": files, "parity": parity}


def rebuild(folder: Path) -> Transferred:
    """The torch module of a bundle, in evaluation mode (needs torch and timm; `Predictor` does not).

    Raises
    ------
    BundleError : the folder is no bundle, or a file of it was cut off or altered.
    """
    config = read_config(folder)
    verify(folder, config, ("model.safetensors",))
    backbone = load(f"run:{folder}", size=config["preprocessing"]["size"])
    state = load_file(folder / "model.safetensors")
    head = _empty_head({n.removeprefix("head."): t for n, t in state.items() if n.startswith("head.")}, config["head"])
    model = Transferred(backbone, head, cuts=config["cuts"], frozen=config["frozen"])
    model.load_state_dict(state)
    return model.eval()


def _save_graph(folder: Path, model: Transferred, shares: Probabilities, sample: np.ndarray) -> float:
    import openvino

    width = sum(model.backbone.widths[cut] for cut in model.cuts)
    graph = with_head(network_graph(model.backbone, model.cuts), shares, width=width)
    with writing(folder / "graph.bin") as weights, writing(folder / "graph.xml") as description:
        # OpenVINO derives the name of the weights from that of the description.
        built = description.with_name(f".{description.name}.building.xml")
        openvino.save_model(graph, built, compress_to_fp16=False)
        built.with_suffix(".bin").replace(weights)
        built.replace(description)
    with torch.inference_mode():
        expected = shares(model.features(model.backbone.preprocessing.tensor(sample))).numpy()
    got = compile_graph(openvino.Core().read_model(folder / "graph.xml"))(sample)[0]
    parity = float(np.abs(got - expected).max())
    if not parity <= PARITY:
        raise InternalError(f"The exported graph's probabilities differ from torch's by {parity:.1e}.")
    return parity


def _config(model: Transferred, classes: Sequence[str]) -> dict[str, Any]:
    preprocessing = model.backbone.preprocessing
    return {
        "format": FORMAT,
        "architecture": model.backbone.architecture,
        "backbone": model.backbone.name,
        "fingerprint": model.backbone.fingerprint("top"),
        "cuts": list(model.cuts),
        "frozen": model.frozen,
        "head": _describe_head(model.head),
        "classes": list(classes),
        "preprocessing": {
            "size": preprocessing.size,
            "resize": "whole image squashed to a square, bicubic",
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
        },
    }


def _told(tasks: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """What a configuration says of several tasks, under a format that a version without tasks refuses to read."""
    return {
        "format": FORMAT_OF_TASKS,
        "classes": [f"{name}: {label}" for name, labels in tasks for label in labels],
        "tasks": [{"name": name, "classes": list(labels)} for name, labels in tasks],
    }


def _describe_head(head: nn.Module) -> dict[str, Any]:
    numbers = {name: getattr(head, name) for name in ("n", "smoothing", "temperature") if hasattr(head, name)}
    return {"kind": "neighbours" if numbers else "linear", **numbers}


def _empty_head(state: dict[str, Tensor], config: dict[str, Any]) -> nn.Module:
    """A head of the shape of its saved state; the state itself is loaded afterwards."""
    if config["kind"] == "linear":
        k, d = state["weight"].shape
        return nn.Linear(d, k)
    return head_module(
        {
            "features": state["features"].numpy(),
            "labels": state["onehot"].argmax(1).numpy(),
            "n_neighbours": np.array(config["n"]),
            "smoothing": np.array(config["smoothing"]),
            "temperature": np.array(config["temperature"]),
        }
    )
