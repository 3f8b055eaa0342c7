"""A pretrained network as feature extractor: one pass gives pooled features at every cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache as once
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import Backbone, open_engine
from headstart.data import DECODE_VERSION, RowStore, Survey

BATCH = 32
SHARD = 1024
WRITERS = 4
SAMPLE = 16
"""Images on which an engine is compared with the reference."""


@dataclass(frozen=True)
class Features:
    """Pooled features of some images at the cuts of one backbone, read from disk when asked for.

    Attributes
    ----------
    stores : where they are, by cut, from the stem to the top; the source's logits are those of its
        classifier on the top's features, and are not kept.
    ids : content id of each image, in the order asked for.
    computed : images that had to be run through the network; the others were there already.
    engine : what ran them.
    note : a sentence where something had to be recomputed or an engine was refused.
    """

    stores: Mapping[str, RowStore]
    ids: tuple[str, ...]
    computed: int
    engine: str
    note: str

    @property
    def cuts(self) -> tuple[str, ...]:
        """Names of the cuts, from the stem to the top."""
        return tuple(self.stores)

    @property
    def width(self) -> int:
        """Features of an image at all cuts together."""
        return sum(store.read("z", self.ids[:1]).shape[1] for store in self.stores.values())

    def at(self, cut: str, rows: np.ndarray | None = None) -> np.ndarray:
        """float32 (n, d) features at `cut`; `rows` selects among the images, all by default."""
        return self.of(cut, self.ids if rows is None else [self.ids[i] for i in rows])

    def of(self, cut: str, ids: Sequence[str]) -> np.ndarray:
        """float32 (m, d) features at `cut` of the images with these content ids."""
        return self.stores[cut].read("z", ids)


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

    What is stored for the same image, weights up to the cut, preprocessing, decoder and engine is not
    computed again, whichever network it was computed with; what is missing is run in batches and stored
    a shard at a time, so memory stays bounded and a killed pass loses at most two shards. Where an engine
    has computed some of these images before, it is preferred: data that grow stay with it.
    """
    ids = tuple(survey.ids[i] for i in indices)
    prints = backbone.fingerprints()
    opened_stores: dict[str, dict[str, RowStore]] = {}
    for name in _engine_names(device):
        stores = {
            cut: RowStore(cache / "features" / _folder(backbone, survey.size, cut, prints[cut], engine=name))
            for cut in backbone.cuts
            if cut != "logits"
        }
        if not any(_missing(stores, ids).values()):
            return Features(stores, ids, 0, name, _damage([*opened_stores.values(), stores]))
        opened_stores[name] = stores
    place = dict(zip(ids, indices, strict=True))
    spread = np.linspace(0, len(place) - 1, min(SAMPLE, len(place))).astype(int)
    sample = survey.pixels(np.array(list(place.values()))[spread])
    held = {name: sum(key in stores["top"] for key in place) for name, stores in opened_stores.items()}
    most = max(held, key=held.__getitem__) if any(held.values()) else ""
    opened = open_engine(backbone, sample, device=device, cache=cache, images=len(place), prefer=most)
    stores = opened_stores[opened.engine.name]
    wanted = {cut: set(lacking) for cut, lacking in _missing(stores, ids).items()}
    missing = [key for key in place if any(key in lacking for lacking in wanted.values())]
    title = f"features of {backbone.name}"
    with _Writers(stores, wanted) as writers:
        for start in range(0, len(missing), SHARD):
            part = missing[start : start + SHARD]
            shard: dict[str, list[np.ndarray]] = {cut: [] for cut in stores}
            for first in range(0, len(part), BATCH):
                chunk = part[first : first + BATCH]
                pooled = opened.engine(survey.pixels(np.array([place[key] for key in chunk])))
                for cut, rows in shard.items():
                    rows.append(pooled[cut].astype("f4", copy=False))
                progress(title, start + first + len(chunk), len(missing))
            writers.put(part, shard)
    note = " ".join(filter(None, (opened.note, _damage(opened_stores.values()))))
    return Features(stores, ids, len(missing), opened.engine.name, note)


class _Writers:
    """Shards on their way to the disk, all cuts at once, while the network runs on; at most one shard a cut waits."""

    def __init__(self, stores: Mapping[str, RowStore], wanted: Mapping[str, set[str]]) -> None:
        self._stores, self._wanted = stores, wanted
        self._pool = ThreadPoolExecutor(WRITERS)
        self._waiting: list[Future[None]] = []

    def put(self, ids: Sequence[str], shard: Mapping[str, list[np.ndarray]]) -> None:
        self._wait()
        self._waiting = [self._pool.submit(self._put, cut, ids, rows) for cut, rows in shard.items()]

    def _put(self, cut: str, ids: Sequence[str], rows: list[np.ndarray]) -> None:
        lacking = [i for i, key in enumerate(ids) if key in self._wanted[cut]]
        if lacking:
            self._stores[cut].put([ids[i] for i in lacking], {"z": np.concatenate(rows)[lacking]})

    def _wait(self) -> None:
        for future in self._waiting:
            future.result()

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()  # what is on its way is written, on Ctrl-C too
        if failed is None:
            self._wait()


def _folder(backbone: Backbone, size: int, cut: str, fingerprint: str, *, engine: str) -> str:
    """Where features at a cut of images decoded this way, run by this engine, are kept."""
    version = _version("openvino" if engine.startswith("openvino") else "torch")
    key = f"{fingerprint}|{size}|{DECODE_VERSION}|{engine}-{version}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return f"{backbone.architecture}-{size}-{cut}-{digest}"


def _missing(stores: Mapping[str, RowStore], ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids that have no whole row, by cut; checksums of several cuts are compared at a time."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return dict(zip(stores, pool.map(lambda store: store.missing(ids), stores.values()), strict=True))


@once
def _version(package: str) -> str:
    return metadata.version(package)


def _engine_names(device: torch.device) -> Sequence[str]:
    if device.type == "cpu":
        return "openvino-bf16", "openvino-f32", "eager-f32-cpu"
    return tuple(f"{engine}-{device.type}" for engine in ("torch-bf16-compiled", "torch-bf16", "eager-f32"))


def _damage(stores: Iterable[Mapping[str, RowStore]]) -> str:
    damaged = [path for by_cut in stores for store in by_cut.values() for path in store.damaged]
    if not damaged:
        return ""
    names = ", ".join(path.name for path in damaged[:5])
    return f"{len(damaged)} damaged file(s) of stored features were found ({names}) and computed anew."
