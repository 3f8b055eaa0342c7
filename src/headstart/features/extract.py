"""A pretrained network as feature extractor: one pass gives pooled features at every cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import Backbone, open_engine
from headstart.data import DECODE_VERSION, RowStore, Survey

BATCH = 32
SHARD = 1024
SAMPLE = 64
"""Images on which an engine is compared with the reference."""


@dataclass(frozen=True)
class Features:
    """Pooled features of some images at every cut of one backbone, read from disk when asked for.

    Attributes
    ----------
    ids : content id of each image, in the order asked for.
    cuts : names of the cuts, from the stem to the top (and the source's logits).
    computed : images that had to be run through the network; the others were there already.
    engine : what ran them.
    note : a sentence where something had to be recomputed or an engine was refused.
    """

    store: RowStore
    ids: tuple[str, ...]
    cuts: tuple[str, ...]
    computed: int
    engine: str
    note: str

    def at(self, cut: str, rows: np.ndarray | None = None) -> np.ndarray:
        """float32 (n, d) features at `cut`; `rows` selects among the images, all by default."""
        chosen = self.ids if rows is None else [self.ids[i] for i in rows]
        return self.store.read(cut, chosen)


def extract(
    backbone: Backbone,
    survey: Survey,
    indices: np.ndarray,
    *,
    cache: Path,
    device: torch.device,
    progress: Callable[[str, int, int], None],
) -> Features:
    """Features of the images at `indices` at all cuts of `backbone`.

    What the store has for the same image, weights, preprocessing, decoder and engine is not computed
    again; what is missing is run in batches and stored a shard at a time, so memory stays bounded and
    an interrupted pass loses at most one shard.
    """
    ids = tuple(survey.ids[i] for i in indices)
    stores: dict[str, RowStore] = {}
    for engine_name in _engine_names(device):
        store = RowStore(store_folder(cache, backbone, survey.size, engine=engine_name))
        if not store.missing(ids):
            return Features(store, ids, backbone.cuts, 0, engine_name, _damage(store))
        stores[engine_name] = store
    place = dict(zip(ids, indices, strict=True))
    spread = np.linspace(0, len(place) - 1, min(SAMPLE, len(place))).astype(int)
    sample = survey.pixels(np.array(list(place.values()))[spread])
    opened = open_engine(backbone, sample, device=device, cache=cache)
    store = stores[opened.engine.name]
    missing = store.missing(ids)
    title = f"features of {backbone.name}"
    for start in range(0, len(missing), SHARD):
        part = missing[start : start + SHARD]
        shard: dict[str, list[np.ndarray]] = {cut: [] for cut in backbone.cuts}
        for first in range(0, len(part), BATCH):
            chunk = part[first : first + BATCH]
            pooled = opened.engine(survey.pixels(np.array([place[key] for key in chunk])))
            for cut, z in pooled.items():
                shard[cut].append(z.astype("f4", copy=False))
            progress(title, start + first + len(chunk), len(missing))
        store.put(part, {cut: np.concatenate(rows) for cut, rows in shard.items()})
    note = " ".join(filter(None, (opened.note, _damage(store))))
    return Features(store, ids, backbone.cuts, len(missing), opened.engine.name, note)


def store_folder(cache: Path, backbone: Backbone, size: int, *, engine: str) -> Path:
    """Where the features of this network, on images decoded this way, by this engine, are kept."""
    last = backbone.cuts[-1]
    version = metadata.version("openvino" if engine.startswith("openvino") else "torch")
    key = f"{backbone.fingerprint(last)}|{','.join(backbone.cuts)}|{size}|{DECODE_VERSION}|{engine}-{version}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return cache / "features" / f"{backbone.architecture}-{size}-{digest}"


def _engine_names(device: torch.device) -> Sequence[str]:
    return ("openvino-bf16", "openvino-f32", "eager-f32-cpu") if device.type == "cpu" else (f"eager-f32-{device.type}",)


def _damage(store: RowStore) -> str:
    if not store.damaged:
        return ""
    names = ", ".join(path.name for path in store.damaged[:5])
    return f"{len(store.damaged)} damaged file(s) of stored features were found ({names}) and computed anew."
