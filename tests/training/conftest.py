"""A toy problem that a tiny network can learn: which way a bright patch lies, under noise."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred, load_random
from headstart.data.batches import Batches
from headstart.objectives import CrossEntropy
from headstart.training import Curve, Recipe, Scores, score, train

SIZE = 32
CLASSES = 3


@dataclass(frozen=True)
class Toy:
    """A model from fixed random weights, and the batches to fit and to judge it on."""

    backbone: Backbone
    fit: Batches
    judge: Batches

    def model(self, *, frozen: str = "", source_statistics: bool = False, dropout: float = 0.0) -> Transferred:
        """Return a fresh model, the same one every time."""
        torch.manual_seed(11)
        backbone = copy.deepcopy(self.backbone)
        head: nn.Module = nn.Linear(backbone.widths["top"], CLASSES)
        if dropout:
            head = nn.Sequential(nn.Dropout(dropout), head)
        model = Transferred(backbone, head, frozen=frozen, source_statistics=source_statistics)
        return model.to(memory_format=torch.channels_last)

    def train(
        self,
        model: Transferred,
        recipe: Recipe,
        checkpoint: Path,
        *,
        seed: int = 0,
        evaluate: Callable[[nn.Module], Scores] | None = None,
        progress: Callable[[int, int], None] = lambda done, planned: None,
    ) -> Curve:
        """Run the loop; scores come from the images that are not trained on unless `evaluate` gives them."""
        return train(
            model,
            self.fit,
            objective=CrossEntropy(recipe.label_smoothing),
            recipe=recipe,
            seed=seed,
            evaluate=evaluate or (lambda current: score(current, self.judge)),
            checkpoint=checkpoint,
            progress=progress,
        )


def _images(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % CLASSES
    pixels = rng.integers(60, 120, (n, SIZE, SIZE, 3), dtype=np.uint8)
    for image, label in zip(pixels, y, strict=True):
        image[..., label] += 100
    return pixels, y


@pytest.fixture(scope="session")
def toy() -> Toy:
    """Return the problem: a dominant colour out of three; nothing may change it."""
    backbone = load_random("test_efficientnet", size=SIZE, seed=0)

    def batches(n: int, seed: int, size: int) -> Batches:
        pixels, y = _images(n, seed=seed)
        return Batches(lambda wanted: pixels[wanted], backbone.preprocessing.tensor, np.arange(n), y, size)

    return Toy(backbone, batches(30, 1, 8), batches(30, 2, 64))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose time to a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
