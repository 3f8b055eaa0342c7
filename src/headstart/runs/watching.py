"""What is seen of a network while it learns a surrogate task: nothing is chosen by it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.backbones import Backbone, Transferred
from headstart.evidence.collapse import spread_of
from headstart.evidence.slowness import slowness
from headstart.objectives.surrogate import Surrogate
from headstart.records import Record
from headstart.runs.context import Context
from headstart.runs.material import Material
from headstart.runs.online import OnlineProbe, pooled
from headstart.runs.surrogates import Posed
from headstart.training import Scores

LOOKS = 10
"""How often, about, features are looked at in a training, and the online probe is fitted."""
WATCHED = 256
"""Images whose features are looked at."""


class Watch:
    """Judges the surrogate task after every epoch, as the loop asks, and looks at the features now and then.

    Parameters
    ----------
    probe : labelled images, where there are some.
    epochs : of the training.
    """

    def __init__(
        self,
        context: Context,
        material: Material,
        posed: Posed,
        objective: Surrogate,
        *,
        probe: OnlineProbe | None,
        epochs: int,
    ) -> None:
        self._context, self._material, self._posed = context, material, posed
        self._objective, self._probe, self._epochs = objective, probe, epochs
        self._done, self._since = 0, time.perf_counter()
        self._rows = _watched(material)

    def progress(self, done: int, total: int) -> None:
        """What the loop tells of its steps; shown in sets, which are what takes time."""
        self._done = done
        sets = self._posed.feed.drawn
        self._context.progress("pretraining, sets", done * sets // len(self._posed.feed), self._epochs * sets)

    def __call__(self, model: nn.Module) -> Scores:
        """Losses of the held batches, and the share of the surrogate's questions that are answered rightly."""
        assert isinstance(model, Transferred)
        epoch = self._done // len(self._posed.feed)
        losses, right, chance = self._judged(model)
        key = f"epoch/{epoch}"
        if self._context.journal.get(key) is None:
            solved = None if math.isnan(right) else right
            metrics: dict[str, Any] = {"loss": float(losses.mean()), "solved": solved, "chance": chance, "epoch": epoch}
            if epoch % max(1, self._epochs // LOOKS) == 0 or epoch == self._epochs:
                metrics |= self._looked(model.backbone)
            cost = {"seconds": time.perf_counter() - self._since}
            seed = self._context.options.seed
            self._context.note(Record(key, "epoch", part="held", seed=seed, metrics=metrics, cost=cost))
        self._since = time.perf_counter()
        return Scores(losses, right)

    def _judged(self, model: Transferred) -> tuple[np.ndarray, float, float]:
        objective, seed = self._objective, self._context.options.seed
        module = objective if isinstance(objective, nn.Module) else nn.Identity()
        training = model.training, module.training
        model.eval(), module.eval()
        losses, right, chances = [], [], []
        with torch.inference_mode():
            for batch in self._posed.held.held(seed=seed, augmentation=self._posed.augmentation):
                losses.append(float(sum(one.item() for one in objective(model, batch, 1.0).values())))
                right.append(objective.right(model, batch).flatten().cpu().numpy())
                chances.append(objective.chance(batch))
        model.train(training[0]), module.train(training[1])
        answers = np.concatenate(right)
        return np.array(losses), float(answers.mean()) if len(answers) else float("nan"), float(np.mean(chances))

    def _looked(self, backbone: Backbone) -> dict[str, Any]:
        z = pooled(backbone, _squares(self._material, backbone), self._rows, ("top",))["top"]
        found = spread_of(z)
        told: dict[str, Any] = {"rank": found.rank, "spread": found.spread, "collapsed": found.collapsed}
        if self._material.frames is not None:
            watched = np.isin(np.arange(len(self._material.frames)), self._rows)
            pairs = np.searchsorted(self._rows, self._material.frames.windows(2, usable=watched))
            told["slowness"] = slowness(z, pairs) if len(pairs) else None
        if self._probe is not None:
            told["probe"] = self._probe.value(self._probe.named(self._probe.features(backbone))["top"]).value
        return told


def _watched(material: Material) -> np.ndarray:
    """Images whose features are looked at: of frames a stretch of each sequence, of others some at even distances."""
    usable = np.flatnonzero(material.usable)
    if material.frames is None:
        return usable[:: -(-len(usable) // WATCHED)]
    sequences = material.frames.sequence[usable]
    each = max(2, WATCHED // len(material.frames.names))
    return np.concatenate([usable[sequences == number][:each] for number in range(len(material.frames.names))])


def _squares(material: Material, backbone: Backbone) -> Any:
    """Pixels at the network's size, where images were kept larger."""
    size = backbone.preprocessing.size
    times = material.looked.size // size

    def read(rows: np.ndarray) -> np.ndarray:
        pixels = material.looked.pixels(rows)
        if times == 1:
            return pixels
        n = len(pixels)
        small: np.ndarray = pixels.reshape(n, size, times, size, times, 3).mean((2, 4)).round().astype(np.uint8)
        return small

    return read
