"""Bundles of a tiny network with every kind of head, written without a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Transferred, load_random
from headstart.bundle.save import save
from headstart.shallow import head_module

CLASSES = ("ape", "bee", "cat")
SIZE = 32
HEADS = ("fine-tuned", "linear", "neighbours")


def _images(n: int, *, seed: int = 0) -> np.ndarray:
    """Return n coloured noises of different lightness, uint8 (n, 32, 32, 3)."""
    rng = np.random.default_rng(seed)
    light = rng.integers(40, 256, (n, 1, 1, 3))
    return (rng.random((n, SIZE, SIZE, 3)) * light).astype(np.uint8)


def _model(kind: str) -> Transferred:
    """Return the same network each time, with a head of that kind whose answers differ from image to image."""
    backbone = load_random("test_resnet", size=SIZE, seed=3)
    cuts = ("top",) if kind == "fine-tuned" else ("stem", "top")
    d = sum(backbone.widths[cut] for cut in cuts)
    rng = np.random.default_rng(0)
    if kind == "fine-tuned":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head: nn.Module = nn.Linear(d, len(CLASSES))
            head.weight.data *= 10
    elif kind == "linear":
        arrays = {"weight": rng.normal(size=(len(CLASSES), d)), "bias": np.zeros(len(CLASSES))}
        head = head_module(arrays | {"temperature": np.array(2.0)})
    else:
        whole = Transferred(backbone, nn.Identity(), cuts=cuts, frozen="top").eval()
        with torch.inference_mode():
            z = whole(backbone.preprocessing.tensor(_images(40, seed=9))).numpy()
        arrays = {
            "features": z / np.linalg.norm(z, axis=1, keepdims=True),
            "labels": np.arange(40) % len(CLASSES),
            "n_neighbours": np.array(5),
            "smoothing": np.array(0.5),
            "temperature": np.array(1.5),
        }
        head = head_module(arrays)
    return Transferred(backbone, head, cuts=cuts, frozen="" if kind == "fine-tuned" else "top").eval()


@pytest.fixture(scope="session")
def _bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundles")
    for kind in HEADS:
        save(root / kind, _model(kind), classes=CLASSES, sample=_images(4), about={"strategy": "probe", "seed": 0})
    return root


@pytest.fixture(params=HEADS)
def every_bundle(request: pytest.FixtureRequest, _bundles: Path) -> Path:
    """Return a bundle of each kind of head, to be read only."""
    return _bundles / str(request.param)


@pytest.fixture
def bundle(_bundles: Path, tmp_path: Path) -> Path:
    """Return a copy of a bundle that the test may spoil."""
    return Path(shutil.copytree(_bundles / "linear", tmp_path / "bundle"))


@pytest.fixture
def images() -> Callable[..., np.ndarray]:
    """Return the function (n, *, seed=0) → uint8 (n, 32, 32, 3)."""
    return _images


@pytest.fixture
def model() -> Callable[[str], Transferred]:
    """Return the function kind of head → the model that the bundle of that kind was made of."""
    return _model
