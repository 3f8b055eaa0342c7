#!/usr/bin/env python3
"""One pass, and never twice: features against eager torch, a bare loop, files and what is stored.

python bench/engine.py            measure what bench/grids/engine.toml declares and is not recorded yet
python bench/engine.py table      print the table
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import CASES, CPU, GRID, done, fresh_cache, note, pairs, quiet, recorded, surveyed, timed

THREADS = 2


def eager(name: str, size: int) -> Callable[[torch.Tensor], object]:
    """Timm's own way to all stages: forward_intermediates, pooled, in eager float32."""
    from headstart.backbones import load

    network = load(name, size=size).network

    def run(x: torch.Tensor) -> object:
        with torch.inference_mode():
            top, stages = network.forward_intermediates(x)
            return [z.mean((2, 3)) if z.dim() == 4 else z.mean(1) for z in stages], network.forward_head(top)

    return run


def features() -> None:
    """A pass over ready pixels: against timm eager, and against a bare loop of the same compiled network."""
    for cell in GRID["features"]["cells"]:
        name, size = cell["backbone"], cell["size"]
        if not (done(what="features", backbone=name, size=size) and done(what="limit", backbone=name, size=size)):
            _features(name, size, cell.get("bar"))


def _features(name: str, size: int, bar: float | None) -> None:
    from headstart.backbones import load, open_engine
    from headstart.features import extract

    with fresh_cache() as kept:
        looked = surveyed(GRID["features"]["case"], size, kept)
        indices = np.arange(len(looked))
        pixels = looked.pixels(indices)
        backbone, run = load(name, size=size), eager(name, size)
        opened = []

        def opening() -> None:
            opened.append(open_engine(backbone, pixels[:16], device=CPU, cache=kept))

        compiling, again = timed(opening), timed(opening)
        engine = opened[-1].engine

        def ours() -> float:
            with fresh_cache(kept / "engines") as cache:
                return timed(lambda: extract(backbone, looked, indices, cache=cache, device=CPU, progress=quiet))

        def passing() -> float:
            opening_it = extract.__globals__["open_engine"]
            extract.__globals__["open_engine"] = lambda *_, **__: opened[-1]
            try:
                return ours()
            finally:
                extract.__globals__["open_engine"] = opening_it

        def theirs() -> float:
            chunks = (pixels[at : at + 32] for at in range(0, len(pixels), 32))
            return timed(lambda: [run(backbone.preprocessing.tensor(chunk)) for chunk in chunks])

        def bare(size: int) -> float:
            compiled = engine.compiled  # type: ignore[attr-defined]
            return timed(lambda: [compiled(pixels[at : at + size]) for at in range(0, len(pixels), size)])

        cell = {"backbone": name, "size": size, "engine": engine.name, "n": len(pixels)}
        rounds = GRID["features"]["rounds"]
        if not done(what="features", backbone=name, size=size):
            note({"what": "compiling", **cell, "seconds": compiling, "opening_s": again})
            note({"what": "features", **cell, "bar": bar, **pairs(ours, theirs, rounds=rounds)})
        if not done(what="limit", backbone=name, size=size):
            for batch in (32, 4):
                found = pairs(passing, lambda: bare(batch), rounds=rounds)  # noqa: B023
                note({"what": "limit", **cell, "batch": batch, "bar": GRID["limit"]["bar"], **found})


def files() -> None:
    """From files, cold; the same again, warm; and the time that decoding and the network alone take."""
    told = GRID["files"]
    for case in told["cases"]:
        if case == "photos":
            make_photos(CASES / case, told["photos"])
        if not all(done(what=what, case=case) for what in ("files", "warm", "bound")):
            _files(case, told["backbone"], told["size"])


def _files(case: str, name: str, size: int) -> None:
    from headstart.backbones import load, open_engine
    from headstart.features import extract

    told = GRID["files"]
    backbone, run = load(name, size=size), eager(name, size)
    with fresh_cache() as kept:
        looked = surveyed(case, size, kept)
        indices = np.array([i for i, key in enumerate(looked.ids) if key])
        engine = open_engine(backbone, looked.pixels(indices[:16]), device=CPU, cache=kept).engine
        warm = kept / "warm"
        shutil.copytree(kept / "engines", warm / "engines")

        def both(cache: Path) -> None:
            found = surveyed(case, size, cache)
            extract(backbone, found, indices, cache=cache, device=CPU, progress=quiet)

        def ours() -> float:
            with fresh_cache(kept / "engines") as cache:
                return timed(lambda: both(cache))

        def theirs() -> float:
            return timed(lambda: [run(x) for x, _ in loader(case, backbone)])

        def bound() -> float:
            compiled = engine.compiled  # type: ignore[attr-defined]
            pixels = looked.pixels(indices)
            network = timed(lambda: [compiled(pixels[at : at + 4]) for at in range(0, len(pixels), 4)])
            return decoding(case, size) + network

        cell = {"case": case, "n": len(indices), "engine": engine.name, "size": size}
        if not done(what="files", case=case):
            note({"what": "files", **cell, "bar": told["bar"], **pairs(ours, theirs, rounds=told["rounds"])})
        if not done(what="bound", case=case):
            bar = GRID["bound"]["bar"] if case in GRID["bound"]["cases"] else None
            note({"what": "bound", **cell, "bar": bar, **pairs(ours, bound, rounds=told["rounds"])})
        if not done(what="warm", case=case):
            both(warm)
            again = pairs(lambda: timed(lambda: both(warm)), ours, rounds=told["rounds"])
            note({"what": "warm", **cell, "bar": GRID["warm"]["bar"], **again})


def loader(case: str, backbone: Any) -> Any:
    """The usual way: an ImageFolder with timm's own transform through a DataLoader with two workers."""
    from timm.data import create_transform
    from torchvision.datasets import ImageFolder

    size, mean, std = (getattr(backbone.preprocessing, name) for name in ("size", "mean", "std"))
    transform = create_transform((3, size, size), mean=mean, std=std, interpolation="bicubic", crop_pct=1.0)
    return torch.utils.data.DataLoader(ImageFolder(str(CASES / case), transform), batch_size=32, num_workers=2)


def decoding(case: str, size: int) -> float:
    """Seconds in which both cores decode and resize all images of a case, and do nothing else."""
    from headstart.data import read_rgb, to_square
    from headstart.errors import ImageError
    from headstart.problem import read_labelled

    paths = read_labelled(CASES / case).x.images

    def one(path: Path) -> None:
        with suppress(ImageError):  # clip art has four broken files
            to_square(read_rgb(path, at_least=2 * size), size)

    def run() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, paths))

    return timed(run)


def make_photos(folder: Path, n: int) -> None:
    """Large JPEGs: 4000 × 3000, smooth fields with some noise, in two classes."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(-6, 7, (3200, 4200, 3), dtype=np.int16)

    def make(i: int) -> None:
        path = folder / "ab"[i % 2] / f"{i:04d}.jpg"
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(i)
        small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        image = np.asarray(small.resize((4000, 3000), Image.Resampling.BICUBIC), np.int16)
        top, left = rng.integers(0, 200, 2)
        noisy = np.clip(image + noise[top : top + 3000, left : left + 4000], 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=85)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(make, range(n)))


def table() -> None:
    """Markdown of everything recorded."""
    print("| claim | ours | peer | peer / ours: median (least to most) | bar |\n|---|---|---|---|---|")
    for row in recorded():
        if row["what"] not in ("features", "limit", "files", "bound", "warm"):
            continue
        low, middle, high = row["ratio"]
        where = f"{row.get('backbone') or row['case']}, {row['size']} px, {row['n']:,} images"
        where += f", batches of {row['batch']}" if "batch" in row else ""
        bar = "" if row.get("bar") is None else f"{row['bar']:g}×"
        times = f"{row['ours_s']:.3g} s | {row['peer_s']:.3g} s"
        print(f"| {row['what']}: {where} | {times} | {middle:.2f}× ({low:.2f} to {high:.2f}) | {bar} |")
    print("\n| opening an engine | converted, compiled and timed | read from disk |\n|---|---|---|")
    for row in recorded():
        if row["what"] == "compiling":
            print(f"| {row['backbone']}, {row['size']} px | {row['seconds']:.1f} s | {row['opening_s']:.2f} s |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        features()
        files()
    table()
