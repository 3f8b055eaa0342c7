#!/usr/bin/env python3
"""What the engine saves: every claim as a ratio against a named peer (bench/grids/engine.toml).

python bench/engine.py            measure what is not recorded yet, and print the tables
python bench/engine.py table      print the tables
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/engine.toml").read_text())
RECORDS = HERE / "records/engine.jsonl"
CASES = Path(os.environ.get("CASES_DIR", "~/.cache/headstart-cases")).expanduser()
CPU = torch.device("cpu")
Row = dict[str, Any]


def quiet(*_: object) -> None:
    """Report nothing."""


@contextmanager
def fresh_cache(engines: Path | None = None) -> Iterator[Path]:
    """An empty cache, but for compiled networks."""
    with tempfile.TemporaryDirectory() as folder:
        if engines is not None and engines.is_dir():
            shutil.copytree(engines, Path(folder) / "engines")
        yield Path(folder)


def pairs(ours: Callable[[], float], peer: Callable[[], float]) -> Row:
    """Seconds of both, in turn, after a round that does not count; and the ratios peer / ours."""
    ours(), peer()
    times = [(ours(), peer()) for _ in range(GRID["rounds"])]
    ratios = sorted(theirs / own for own, theirs in times)
    return {
        "ours_s": statistics.median(own for own, _ in times),
        "peer_s": statistics.median(theirs for _, theirs in times),
        "ratio": [ratios[0], statistics.median(ratios), ratios[-1]],
    }


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def surveyed(case: str, size: int, cache: Path) -> Any:
    """Images of a case, read."""
    from headstart.data import survey
    from headstart.problem import read_labelled

    return survey(read_labelled(CASES / case).x, size, cache=cache)


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
    from headstart.backbones import load
    from headstart.backbones.engines import open_engine
    from headstart.features import extract

    for cell in GRID["features"]["cells"]:
        name, size = cell["backbone"], cell["size"]
        if done(what="features", backbone=name, size=size):
            continue
        with fresh_cache() as kept:
            looked = surveyed("emoji-google", size, kept)
            indices = np.arange(GRID["images"])
            pixels = looked.pixels(indices)
            backbone, run = load(name, size=size), eager(name, size)
            compiling = timed(lambda: open_engine(backbone, pixels[:64], device=CPU, cache=kept))  # noqa: B023
            engine = open_engine(backbone, pixels[:64], device=CPU, cache=kept).engine

            def ours() -> float:
                with fresh_cache(kept / "engines") as cache:
                    return timed(
                        lambda: extract(backbone, looked, indices, cache=cache, device=CPU, progress=quiet)  # noqa: B023
                    )

            def theirs() -> float:
                chunks = (pixels[at : at + 32] for at in range(0, len(pixels), 32))  # noqa: B023
                return timed(lambda: [run(backbone.preprocessing.tensor(chunk)) for chunk in chunks])  # noqa: B023

            def bare() -> float:
                compiled = engine.compiled  # type: ignore[attr-defined]  # noqa: B023
                return timed(lambda: [compiled(pixels[at : at + 32]) for at in range(0, len(pixels), 32)])  # noqa: B023

            cell = {"backbone": name, "size": size, "engine": engine.name}
            note({"what": "compiling", **cell, "seconds": compiling})
            note({"what": "features", **cell, "bar": cell.get("bar"), "n": len(pixels), **pairs(ours, theirs)})
            note({"what": "limit", **cell, "bar": GRID["limit"]["bar"], "n": len(pixels), **pairs(ours, bare)})


def files() -> None:
    """From files, cold; and the same again, warm."""
    from headstart.backbones import load
    from headstart.backbones.engines import open_engine
    from headstart.features import extract

    told = GRID["files"]
    name, size = told["backbone"], told["size"]
    for case in told["cases"]:
        if done(what="files", case=case):
            continue
        if case == "photos":
            make_photos(CASES / case)
        backbone, run = load(name, size=size), eager(name, size)
        with fresh_cache() as kept:
            looked = surveyed(case, size, kept)
            indices = np.array([i for i, key in enumerate(looked.ids) if key])
            open_engine(backbone, looked.pixels(indices[:64]), device=CPU, cache=kept)
            warm = kept / "warm"
            shutil.copytree(kept / "engines", warm / "engines")

            def both(cache: Path) -> None:
                found = surveyed(case, size, cache)  # noqa: B023
                extract(backbone, found, indices, cache=cache, device=CPU, progress=quiet)  # noqa: B023

            def ours() -> float:
                with fresh_cache(kept / "engines") as cache:
                    return timed(lambda: both(cache))

            def theirs() -> float:
                return timed(lambda: [run(x) for x in loader(case, size, backbone)])  # noqa: B023

            note({"what": "files", "case": case, "bar": told["bar"], "n": len(indices), **pairs(ours, theirs)})
            both(warm)
            again = pairs(lambda: timed(lambda: both(warm)), ours)  # noqa: B023
            note({"what": "warm", "case": case, "bar": GRID["warm"]["bar"], "n": len(indices), **again})


def loader(case: str, size: int, backbone: Any) -> Any:
    """The usual way: an ImageFolder's files through a DataLoader with two workers."""
    from headstart.data import read_rgb, to_square
    from headstart.problem import read_labelled

    paths = read_labelled(CASES / case).x.images

    class Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, i: int) -> torch.Tensor:
            pixels = to_square(read_rgb(paths[i]), size)
            tensor: torch.Tensor = backbone.preprocessing.tensor(pixels[None])[0]
            return tensor

    return torch.utils.data.DataLoader(Files(), batch_size=32, num_workers=2)


def make_photos(folder: Path, n: int = 200) -> None:
    """Large JPEGs: 4000 × 3000, smooth fields with some noise, in two classes."""
    from PIL import Image

    for i in range(n):
        path = folder / "ab"[i % 2] / f"{i:04d}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(i)
        small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        image = np.asarray(Image.fromarray(small).resize((4000, 3000), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(image + rng.integers(-12, 13, image.shape, dtype=np.int16), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path, quality=90)


def suffix() -> None:
    """An epoch of fine-tuning above a cut, from stored activations and from images, and the bound of the saving."""
    told = GRID["suffix"]
    for size in told["sizes"]:
        for where, cut in told["frozen"].items():
            if not done(what="suffix", where=where, size=size):
                note({"what": "suffix", "where": where, "size": size, **_suffix(told["backbone"], size, cut)})


def _suffix(name: str, size: int, cut: str) -> Row:
    from torch import nn

    from headstart.backbones import Transferred, load
    from headstart.data.batches import Augmentation, Batches
    from headstart.features import activations
    from headstart.objectives import CrossEntropy
    from headstart.training import Recipe, Scores, train

    recipe = Recipe(epochs=1, batch_size=32, lr=0.0, lr_head=0.0, source_statistics=True, views=1)
    with fresh_cache() as cache:
        looked = surveyed("emoji-google", size, cache)
        indices = np.arange(GRID["images"])
        backbone = load(name, size=size)
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 30), frozen=cut, source_statistics=True)
        model = model.to(memory_format=torch.channels_last)
        keys = [looked.ids[i] for i in indices]
        images = Batches(looked.pixels, backbone.preprocessing.tensor, indices, indices % 30, 32, keys)
        stored = activations(model, images, cache=cache, augmentation=Augmentation(), seed=0, views=1)

        def epoch(model: Any, stream: Any) -> float:
            path = cache / "checkpoint"
            path.unlink(missing_ok=True)
            objective, scores = CrossEntropy(), Scores(0.0, 0.0)
            more = {"seed": 0, "evaluate": lambda _: scores, "checkpoint": path, "progress": quiet}
            return timed(lambda: train(model, stream, objective=objective, recipe=recipe, **more))

        measured = pairs(lambda: epoch(model.above(), stored), lambda: epoch(model, images))
        lower, objective = backbone.lower(cut), CrossEntropy()
        batch = next(images.shuffled(1, seed=0, augmentation=None))
        x = batch.x.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            y = lower(x)
        optimizer = torch.optim.AdamW(model.trainable(), lr=0.0, fused=True)

        def prefix() -> float:
            with torch.no_grad():
                return timed(lambda: [lower(x) for _ in range(8)])

        def step() -> None:
            optimizer.zero_grad()
            objective(model.above(), type(batch)(y, batch.y), 0.0)["cross_entropy"].backward()
            optimizer.step()

        model.train()
        bound = pairs(lambda: timed(lambda: [step() for _ in range(8)]), prefix)
    most = 1 + bound["ratio"][1]
    return measured | {"bar": GRID["suffix"]["bar"], "bound": most, "of_bound": measured["ratio"][1] / most}


def heads() -> None:
    """All cuts, penalties and folds in closed form, against scikit-learn's LogisticRegressionCV per cut."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from headstart.data import folds
    from headstart.shallow import compete, screen, shortlist

    for case in GRID["heads"]["cases"]:
        if done(what="heads", case=case):
            continue
        z, y, groups = case_features(case, "openvino-f32")
        parts = folds(y, groups, 5, seed=0)
        started = time.perf_counter()
        screened = screen(z, y, parts)
        ours = time.perf_counter() - started
        winner = shortlist(screened, last="top")[1]
        finished = timed(lambda: compete(z, y, parts, cuts=[winner], screened=screened))  # noqa: B023
        started, best = time.perf_counter(), 0.0
        for cut in z:
            search = LogisticRegressionCV(Cs=13, cv=parts, max_iter=200, n_jobs=2, scoring="accuracy")
            fitted = make_pipeline(StandardScaler(), search).fit(z[cut], y)[-1]
            best = max(best, float(np.mean(next(iter(fitted.scores_.values())), axis=0).max()))
        theirs = time.perf_counter() - started
        value = max(probe.value for probe in screened)
        note(
            {
                "what": "heads",
                "case": case,
                "bar": GRID["heads"]["bar"],
                "ours_s": ours,
                "competition_s": finished,
                "peer_s": theirs,
                "ratio": [theirs / ours] * 3,
                "ours": value,
                "peer": best,
            }
        )


def case_features(case: str, engine: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Features of a case at 128 pixels by cut from one engine, its labels, and its groups of duplicates."""
    from headstart.backbones import load
    from headstart.backbones.engines import OpenVINOEngine, compile_graph, to_graph
    from headstart.data import find_duplicates, merge_groups, survey
    from headstart.problem import read_labelled

    labelled = read_labelled(CASES / case)
    with fresh_cache() as cache:
        looked = survey(labelled.x, 128, cache=cache)
        usable = np.array([i for i, key in enumerate(looked.ids) if key])
        backbone = load("packaged/efficientnet_lite0", size=128)
        graph = to_graph(backbone, backbone.preprocessing)
        runs = OpenVINOEngine(compile_graph(graph, precision=engine.removeprefix("openvino-")), backbone.cuts)
        if runs.name != engine:
            sys.exit(f"This processor runs {runs.name}, not {engine}: that cell is for another machine.")
        parts = [runs(looked.pixels(usable[at : at + 32])) for at in range(0, len(usable), 32)]
        groups = merge_groups(find_duplicates(looked).groups, labelled.x.groups)
    z = {cut: np.concatenate([part[cut] for part in parts]) for cut in backbone.cuts if cut != "logits"}
    return z, labelled.y[usable], groups[usable]


def precision() -> None:
    """Accuracy of the best probe, out of fold, on features of both precisions."""
    from headstart.data import folds
    from headstart.shallow import best, compete, screen, shortlist

    for case in GRID["precision"]["cases"]:
        wanted = [seed for seed in GRID["precision"]["seeds"] if not done(what="precision", case=case, seed=seed)]
        if not wanted:
            continue
        found = {name: case_features(case, f"openvino-{name}") for name in ("bf16", "f32")}
        for seed in wanted:
            values = {}
            for name, (z, y, groups) in found.items():
                parts = folds(y, groups, 5, seed=seed)
                screened = screen(z, y, parts)
                cuts = shortlist(screened, last="top")
                values[name] = best([*screened, *compete(z, y, parts, cuts=cuts, screened=screened)]).value
            note({"what": "precision", "case": case, "seed": seed, "bar": GRID["precision"]["bar"], **values})


def recorded() -> list[Row]:
    """All finished cells."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def done(**wanted: object) -> bool:
    """Whether a cell is recorded."""
    return any(all(row.get(k) == v for k, v in wanted.items()) for row in recorded())


def note(row: Row) -> None:
    """One cell, one line."""
    from headstart.runs.machine import machine

    RECORDS.parent.mkdir(exist_ok=True)
    with RECORDS.open("a") as file:
        file.write(json.dumps(row | {"machine": machine()}) + "\n")


def table() -> None:
    """Markdown of everything recorded."""
    print("| claim | ours | peer | peer / ours: median (least to most) | bar |\n|---|---|---|---|---|")
    for row in recorded():
        if "ratio" not in row:
            continue
        low, middle, high = row["ratio"]
        named = row.get("case") or row.get("where") or f"{row['backbone']}, {row['engine']}"
        where = f"{named}, {row['size']} px" if "size" in row else named
        where += f" (bound {row['bound']:.2f}×, of it {row['of_bound']:.2f})" if "bound" in row else ""
        bar = "" if row.get("bar") is None else f"{row['bar']:g}×"
        times = f"{row['ours_s']:.3g} s | {row['peer_s']:.3g} s"
        print(f"| {row['what']}: {where} | {times} | {middle:.2f}× ({low:.2f} to {high:.2f}) | {bar} |")
    print("\n| case | best probe, bf16 − float32, points: mean (least to most) | seeds |\n|---|---|---|")
    for case in GRID["precision"]["cases"]:
        gains = [100 * (r["bf16"] - r["f32"]) for r in recorded() if r["what"] == "precision" and r["case"] == case]
        if gains:
            print(f"| {case} | {np.mean(gains):+.2f} ({min(gains):+.2f} to {max(gains):+.2f}) | {len(gains)} |")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["table"]):
        sys.exit(__doc__)
    for cell in (features, files, suffix, heads, precision) if not sys.argv[1:] else ():
        cell()
    table()
