"""The frozen part of a network runs once per view of an image; what trains above it reads what it gave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data import DECODE_VERSION, RowStore
from headstart.data.batches import VIEW_VERSION, Augmentation, Batch, Batches, view_of
from headstart.errors import InternalError

BATCH = 32
SHARD_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Activations:
    """Batches of activations at a cut instead of images: a `Stream` that a training cannot tell apart.

    Attributes
    ----------
    images : the batches of images that they stand for, in the same order and the same views.
    store : where they are, under the image's key and its view.
    """

    images: Batches
    store: RowStore
    channels_last: bool
    device: torch.device

    @property
    def y(self) -> np.ndarray:
        """Classes (n,)."""
        return self.images.y

    def __len__(self) -> int:
        return len(self.images)

    def in_order(self) -> Iterator[Batch]:
        """Activations of all images once, in the order given, as they are."""
        n, size = len(self.images.indices), self.images.size
        for start in range(0, n, size):
            yield self._batch(np.arange(start, min(start + size, n)), "plain")

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """Activations of all images once, in the order and the view of this epoch."""
        name = _view_name(seed, None if augmentation is None else view_of(epoch, views))
        for part in self.images.order(epoch, seed=seed):
            yield self._batch(part, name)

    def _batch(self, numbers: np.ndarray, view: str) -> Batch:
        rows = self.store.read("y", [f"{self.images.key(i)}/{view}" for i in numbers])
        activation: Tensor = torch.from_numpy(rows).to(self.device)
        if self.channels_last:
            activation = activation.contiguous(memory_format=torch.channels_last)
        return Batch(activation, torch.from_numpy(self.images.y[numbers]).to(self.device))


@dataclass(frozen=True)
class Passing:
    """Batches of activations that are not stored: the frozen part runs on every batch, once for all who read it.

    Attributes
    ----------
    images : the batches of images.
    lower : what they run through, in evaluation mode and without a gradient.
    """

    images: Batches
    lower: nn.Module

    @property
    def y(self) -> np.ndarray:
        """Classes (n,)."""
        return self.images.y

    def __len__(self) -> int:
        return len(self.images)

    def in_order(self) -> Iterator[Batch]:
        """Activations of all images once, in the order given, as they are."""
        return map(self._through, self.images.in_order())

    def shuffled(self, epoch: int, *, seed: int, augmentation: Augmentation | None, views: int = 0) -> Iterator[Batch]:
        """Activations of all images once, in the order and the view of this epoch."""
        return map(self._through, self.images.shuffled(epoch, seed=seed, augmentation=augmentation, views=views))

    def _through(self, batch: Batch) -> Batch:
        with torch.no_grad():
            return Batch(self.lower(batch.x), batch.y)


def activations(
    model: Transferred,
    images: Batches,
    *,
    cache: Path,
    augmentation: Augmentation | None,
    seed: int,
    views: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Activations:
    """What the frozen part of `model` makes of `images`, computed where the store does not have it yet.

    In eager float32, as the training itself would compute it: trained on either, a model ends with the
    same bits. The store's key holds the weights up to the cut, the preprocessing, the decoder, torch's
    version, the device and the augmentation; a row's, the image, the seed and the view.

    Parameters
    ----------
    views : views of each image; 0 for the images as they are.
    progress : told (rows done, rows to do).

    Raises
    ------
    StorageError : the disk is full.
    InternalError : the images have no keys, or views are wanted and there is no augmentation.
    """
    if images.keys is None or (views and augmentation is None):
        raise InternalError("stored activations need images with keys, and views an augmentation")
    backbone, device = model.backbone, next(model.parameters()).device
    engine = f"torch-{torch.__version__}-{device.type}|{VIEW_VERSION}|{augmentation}"
    key = f"{backbone.fingerprint(model.frozen)}|{DECODE_VERSION}|{engine}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    size = backbone.preprocessing.size
    store = RowStore(cache / "activations" / f"{backbone.architecture}-{size}-{model.frozen}-{digest}")
    lower = backbone.lower(model.frozen).eval()
    wanted = [(number, view) for view in (range(views) or [None]) for number in range(len(images.indices))]
    rows = {f"{images.key(number)}/{_view_name(seed, view)}": (number, view) for number, view in wanted}
    missing = store.missing(list(rows))
    shard: dict[str, np.ndarray] = {}

    def run(part: list[str]) -> Tensor:
        numbers, view = np.array([rows[name][0] for name in part]), rows[part[0]][1]
        batch = images.plain(numbers)
        if view is not None:
            batch = images.view(numbers, view, seed=seed, augmentation=augmentation)
        # Some kernels take another way with a single image, and give other bits.
        x = batch.x if len(part) > 1 else batch.x.repeat(2, 1, 1, 1)
        with torch.no_grad():
            y: Tensor = lower(x)[: len(part)]
        return y

    for done, part in _parts(missing, lambda name: rows[name][1]):
        shard |= dict(zip(part, run(part).float().cpu().contiguous().numpy(), strict=True))
        if sum(row.nbytes for row in shard.values()) >= SHARD_BYTES or done == len(missing):
            store.put(list(shard), {"y": np.stack(list(shard.values()))})
            shard.clear()
        progress(done, len(missing))
    sample = run((list(rows) * 2)[:2])
    channels_last = sample.dim() == 4 and sample.is_contiguous(memory_format=torch.channels_last)
    return Activations(images, store, channels_last, device)


def _parts(names: list[str], view: Callable[[str], int | None]) -> Iterator[tuple[int, list[str]]]:
    """Names of one view each, some at a time, with how many are done after them."""
    done = 0
    for _, same in groupby(names, view):
        listed = list(same)
        for part in np.array_split(np.arange(len(listed)), max(1, round(len(listed) / BATCH))):
            done += len(part)
            chosen = [listed[i] for i in part]
            yield done, chosen


def _view_name(seed: int, view: int | None) -> str:
    return "plain" if view is None else f"{seed}.{view}"
